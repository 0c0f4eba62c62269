using System.Buffers.Binary;
using System.Text;
using System.Text.Json;

namespace Gateway.Simulation.Serving.Endpoints;

/// <summary>The routes that only prefill: embeddings, rerank, score, classify. All numbers are hashes of the texts, so equal texts give equal answers.</summary>
internal static class PoolingEndpoints
{
    private const int DefaultDimensions = 64;
    private const int MostDimensions = 4_096;

    public static async Task EmbedAsync(EngineCall call)
    {
        var dimensions = DefaultDimensions;
        if (call.Root.TryGetProperty("dimensions", out var asked) && asked.ValueKind != JsonValueKind.Null
            && (asked.ValueKind != JsonValueKind.Number || !asked.TryGetInt32(out dimensions) || dimensions is < 1 or > MostDimensions))
        {
            await EngineError.BadRequest("dimensions must be an integer of at least 1.", "dimensions").WriteAsync(call.Http);
            return;
        }

        if (PromptInput.Read(call.Root, "input") is not { } inputs)
        {
            await EngineError.BadRequest("input must be a string, a list of strings, a list of token ids or a list of such lists.", "input").WriteAsync(call.Http);
            return;
        }

        var texts = inputs.ConvertAll(input => input.ToText());
        if (await PrefillAsync(call, texts) is not { } tokens)
        {
            return;
        }

        var isBase64 = call.Root.TryGetProperty("encoding_format", out var format) && format.ValueKind == JsonValueKind.String && format.ValueEquals("base64");
        await WriteListAsync(call, "embd-", texts.Count, tokens, (json, index) =>
        {
            json.WriteString("object", "embedding");
            WriteVector(json, Vector(texts[index], dimensions), isBase64);
        });
    }

    public static async Task RerankAsync(EngineCall call)
    {
        if (!call.Root.TryGetProperty("query", out var query) || !call.Root.TryGetProperty("documents", out var list) || list.ValueKind != JsonValueKind.Array)
        {
            await EngineError.BadRequest("query and documents are required.", "documents").WriteAsync(call.Http);
            return;
        }

        var question = PromptText.TextOf(query);
        var documents = list.EnumerateArray().Select(Document).ToArray();
        if (await PrefillAsync(call, [.. documents.Select(document => question + " " + document)]) is not { } tokens)
        {
            return;
        }

        var most = call.Root.TryGetProperty("top_n", out var top) && top.ValueKind == JsonValueKind.Number && top.TryGetInt32(out var number) && number > 0 ? number : documents.Length;
        var ranked = documents.Select((text, index) => (Index: index, Text: text, Score: Score(question, text))).OrderByDescending(one => one.Score).Take(most);
        await call.WriteJsonAsync(json =>
        {
            json.WriteStartObject();
            json.WriteString("id", call.NewId("rerank-"));
            json.WriteString("model", call.Model);
            json.WriteStartObject("usage");
            json.WriteNumber("total_tokens", tokens);
            json.WriteEndObject();
            json.WriteStartArray("results");
            foreach (var (index, text, score) in ranked)
            {
                json.WriteStartObject();
                json.WriteNumber("index", index);
                json.WriteStartObject("document");
                json.WriteString("text", text);
                json.WriteEndObject();
                json.WriteNumber("relevance_score", score);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        });
    }

    public static async Task ScoreAsync(EngineCall call)
    {
        var (left, right) = (Texts(call.Root, "text_1"), Texts(call.Root, "text_2"));
        if (left.Length == 0 || right.Length == 0 || (left.Length != 1 && left.Length != right.Length))
        {
            await EngineError.BadRequest("text_1 and text_2 must be texts or lists of texts of matching length.", "text_1").WriteAsync(call.Http);
            return;
        }

        var pairs = right.Select((text, index) => (One: left[left.Length == 1 ? 0 : index], Other: text)).ToArray();
        if (await PrefillAsync(call, [.. pairs.Select(pair => pair.One + " " + pair.Other)]) is not { } tokens)
        {
            return;
        }

        await WriteListAsync(call, "score-", pairs.Length, tokens, (json, index) =>
        {
            json.WriteString("object", "score");
            json.WriteNumber("score", Score(pairs[index].One, pairs[index].Other));
        });
    }

    public static async Task ClassifyAsync(EngineCall call)
    {
        var texts = Texts(call.Root, "input");
        if (texts.Length == 0)
        {
            await EngineError.BadRequest("input must be a text or a list of texts.", "input").WriteAsync(call.Http);
            return;
        }

        if (await PrefillAsync(call, texts) is not { } tokens)
        {
            return;
        }

        await WriteListAsync(call, "classify-", texts.Length, tokens, (json, index) =>
        {
            var share = Score(string.Empty, texts[index]);
            json.WriteString("label", share < 0.5 ? "LABEL_0" : "LABEL_1");
            json.WriteStartArray("probs");
            json.WriteNumberValue(1 - share);
            json.WriteNumberValue(share);
            json.WriteEndArray();
            json.WriteNumber("num_classes", 2);
        });
    }

    /// <returns>The tokens of all texts, after the engine has computed them; null when one was too long and the refusal is written.</returns>
    private static async Task<int?> PrefillAsync(EngineCall call, IReadOnlyList<string> texts)
    {
        var group = new GenerationGroup();
        var total = 0;
        foreach (var text in texts)
        {
            if (call.AddPrefill(group, text, out var tokens) is { } problem)
            {
                await problem.WriteAsync(call.Http);
                return null;
            }

            total += tokens;
        }

        await AnswerPump.CompleteAsync(call, group);
        return total;
    }

    private static Task WriteListAsync(EngineCall call, string prefix, int count, int tokens, Action<Utf8JsonWriter, int> writeItem) => call.WriteJsonAsync(json =>
    {
        json.WriteStartObject();
        json.WriteString("id", call.NewId(prefix));
        json.WriteString("object", "list");
        json.WriteNumber("created", call.Created);
        json.WriteString("model", call.Model);
        json.WriteStartArray("data");
        for (var index = 0; index < count; index++)
        {
            json.WriteStartObject();
            json.WriteNumber("index", index);
            writeItem(json, index);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteStartObject("usage");
        json.WriteNumber("prompt_tokens", tokens);
        json.WriteNumber("total_tokens", tokens);
        json.WriteEndObject();
        json.WriteEndObject();
    });

    private static void WriteVector(Utf8JsonWriter json, float[] vector, bool isBase64)
    {
        if (isBase64)
        {
            var bytes = new byte[vector.Length * sizeof(float)];
            for (var index = 0; index < vector.Length; index++)
            {
                BinaryPrimitives.WriteSingleLittleEndian(bytes.AsSpan(index * sizeof(float)), vector[index]);
            }

            json.WriteBase64String("embedding", bytes);
            return;
        }

        json.WriteStartArray("embedding");
        foreach (var value in vector)
        {
            json.WriteNumberValue(value);
        }

        json.WriteEndArray();
    }

    private static float[] Vector(string text, int dimensions)
    {
        var state = Hashing.Chain(0, Encoding.UTF8.GetBytes(text));
        var vector = new float[dimensions];
        var squares = 0.0;
        for (var index = 0; index < dimensions; index++)
        {
            vector[index] = (float)((Fraction(Hashing.Chain(state, (ulong)index)) * 2) - 1);
            squares += vector[index] * vector[index];
        }

        var length = (float)Math.Sqrt(squares);
        return Array.ConvertAll(vector, value => value / length);
    }

    private static double Score(string one, string other) => Fraction(Hashing.Chain(Hashing.Chain(0, Encoding.UTF8.GetBytes(one)), Encoding.UTF8.GetBytes(other)));

    private static double Fraction(ulong hash) => (hash >> 11) * (1.0 / (1UL << 53));

    private static string Document(JsonElement document) =>
        document.ValueKind == JsonValueKind.Object && document.TryGetProperty("text", out var text) ? PromptText.TextOf(text) : PromptText.TextOf(document);

    private static string[] Texts(JsonElement root, string name)
    {
        if (!root.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null)
        {
            return [];
        }

        return value.ValueKind == JsonValueKind.Array ? [.. value.EnumerateArray().Select(PromptText.TextOf)] : [PromptText.TextOf(value)];
    }
}
