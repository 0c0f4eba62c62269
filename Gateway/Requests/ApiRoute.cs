namespace Gateway.Requests;

/// <summary>Which API's shapes a route speaks: errors, streams and usage differ between them.</summary>
public enum ApiFamily
{
    /// <summary>OpenAI: errors under <c>error</c>, streams end with <c>[DONE]</c> where the API has it.</summary>
    OpenAi,

    /// <summary>Anthropic Messages: errors carry <c>type: error</c>, streams end with <c>message_stop</c>.</summary>
    Anthropic,
}

/// <summary>What a route asks of the engine; decides which body fields matter and how the answer is read.</summary>
public enum ApiKind
{
    ChatCompletions,
    Completions,
    Responses,
    Messages,
    CountTokens,
    Embeddings,
    Rerank,
    Score,
    Classify,
    Tokenize,
    Detokenize,
    Transcriptions,
    Translations,
    Speech,
    StoredResponse,
}

/// <summary>One route of the allow-list. Immutable; the instances in <see cref="All"/> are the only ones.</summary>
/// <param name="Kind">What is asked.</param>
/// <param name="Path">Path on the gateway and on the engine alike, without the query.</param>
/// <param name="Family">Shape of errors and streams.</param>
/// <param name="Generates">Whether the answer's length is open: only then is an output length estimated.</param>
public sealed record ApiRoute(ApiKind Kind, string Path, ApiFamily Family, bool Generates)
{
    public static readonly ApiRoute ChatCompletions = new(ApiKind.ChatCompletions, "/v1/chat/completions", ApiFamily.OpenAi, true);
    public static readonly ApiRoute Completions = new(ApiKind.Completions, "/v1/completions", ApiFamily.OpenAi, true);
    public static readonly ApiRoute Responses = new(ApiKind.Responses, "/v1/responses", ApiFamily.OpenAi, true);
    public static readonly ApiRoute Messages = new(ApiKind.Messages, "/v1/messages", ApiFamily.Anthropic, true);
    public static readonly ApiRoute CountTokens = new(ApiKind.CountTokens, "/v1/messages/count_tokens", ApiFamily.Anthropic, false);
    public static readonly ApiRoute Embeddings = new(ApiKind.Embeddings, "/v1/embeddings", ApiFamily.OpenAi, false);
    public static readonly ApiRoute Transcriptions = new(ApiKind.Transcriptions, "/v1/audio/transcriptions", ApiFamily.OpenAi, true);
    public static readonly ApiRoute Translations = new(ApiKind.Translations, "/v1/audio/translations", ApiFamily.OpenAi, true);
    public static readonly ApiRoute Speech = new(ApiKind.Speech, "/v1/audio/speech", ApiFamily.OpenAi, false);

    /// <summary><c>GET</c> and <c>DELETE /v1/responses/{id}</c>: pinned to the replica that holds the response.</summary>
    public static readonly ApiRoute StoredResponse = new(ApiKind.StoredResponse, "/v1/responses/{id}", ApiFamily.OpenAi, false);

    /// <summary>Every <c>POST</c> route; a path that is not here does not reach an engine.</summary>
    public static readonly IReadOnlyList<ApiRoute> All =
    [
        ChatCompletions, Completions, Responses, Messages, CountTokens, Embeddings,
        new(ApiKind.Rerank, "/v1/rerank", ApiFamily.OpenAi, false),
        new(ApiKind.Rerank, "/v2/rerank", ApiFamily.OpenAi, false),
        new(ApiKind.Rerank, "/rerank", ApiFamily.OpenAi, false),
        new(ApiKind.Score, "/v1/score", ApiFamily.OpenAi, false),
        new(ApiKind.Score, "/score", ApiFamily.OpenAi, false),
        new(ApiKind.Classify, "/classify", ApiFamily.OpenAi, false),
        new(ApiKind.Tokenize, "/tokenize", ApiFamily.OpenAi, false),
        new(ApiKind.Detokenize, "/detokenize", ApiFamily.OpenAi, false),
        Transcriptions, Translations, Speech,
    ];

    /// <summary>Whether the body is <c>multipart/form-data</c> instead of JSON.</summary>
    public bool IsMultipart => Kind is ApiKind.Transcriptions or ApiKind.Translations;

    /// <summary>Whether an engine answers beside whatever it generates, without room for it: tokens are counted, what is stored is read.</summary>
    public bool TakesNoRoom => Kind is ApiKind.CountTokens or ApiKind.Tokenize or ApiKind.Detokenize or ApiKind.StoredResponse;

    /// <summary>Whether it only reads or deletes what an engine has made.</summary>
    public bool IsRead => Kind == ApiKind.StoredResponse;

    /// <summary>Whether a path is that of a route which <see cref="TakesNoRoom"/>.</summary>
    public static bool IsWithoutRoom(string path) => All.Append(StoredResponse).Any(route => route.TakesNoRoom && route.Path == path);

    /// <summary>Whether an engine at work on the answer makes step after step, from its prompt's first part to its last token.</summary>
    public bool TakesSteps => Generates && !IsMultipart;
}
