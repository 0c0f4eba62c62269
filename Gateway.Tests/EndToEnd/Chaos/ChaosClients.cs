using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.EndToEnd.Chaos;

/// <summary>Clients that ask one thing after another, compare every character, and ask another gateway only when they saw an error.</summary>
internal sealed class ChaosClients(ChaosGateways gateways, IReadOnlyList<ChaosQuestion> questions) : IDisposable
{
    private const int MostTries = 8;

    private readonly HttpClient _client = new(new SocketsHttpHandler { UseProxy = false, MaxResponseDrainSize = 0, ResponseDrainTimeout = TimeSpan.Zero }) { Timeout = TimeSpan.FromMinutes(2) };
    private int _begun;
    private int _ended;
    private int _first;
    private int _later;
    private int _gaveUp;
    private int _errors;
    private int _refused;

    /// <summary>What must not be: text that differs, answers that stop without a word.</summary>
    public ConcurrentQueue<string> Wrongs { get; } = new();

    /// <summary>Requests that came to an end.</summary>
    public int Ended => Volatile.Read(ref _ended);

    /// <summary>Answered whole, at the first try or a later one.</summary>
    public int Whole => _first + _later;

    public override string ToString() =>
        $"{Ended} requests: {_first} whole at once, {_later} whole after {_errors} errors and {_refused} refused connections that the client saw, {_gaveUp} given up after {MostTries} errors, {Wrongs.Count} wrong or cut without a word";

    /// <summary>Asks until so many requests were begun by all.</summary>
    public async Task AskAsync(int requests, int seed)
    {
        var chance = new Random(seed);
        while (Interlocked.Increment(ref _begun) <= requests)
        {
            await OneAsync(questions[chance.Next(questions.Count)], isStreaming: chance.Next(4) != 0, chance);
            Interlocked.Increment(ref _ended);
        }
    }

    public void Dispose() => _client.Dispose();

    private async Task OneAsync(ChaosQuestion question, bool isStreaming, Random chance)
    {
        using var pause = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        for (var tries = 1; tries <= MostTries; tries++)
        {
            var addresses = gateways.Addresses;
            if (await TryAsync(addresses[chance.Next(addresses.Count)], question, isStreaming))
            {
                Interlocked.Increment(ref tries == 1 ? ref _first : ref _later);
                return;
            }
            await pause.WaitForNextTickAsync();
        }
        Interlocked.Increment(ref _gaveUp);
    }

    // False: the client saw an error and may ask again.
    private async Task<bool> TryAsync(Uri gateway, ChaosQuestion question, bool isStreaming)
    {
        HttpResponseMessage response;
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(gateway, "/v1/chat/completions"))
            {
                Content = new StringContent(question.Body(isStreaming), Encoding.UTF8, "application/json"),
            };
            response = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        }
        catch (HttpRequestException)
        {
            Interlocked.Increment(ref _refused);
            return false;
        }
        try
        {
            var (end, text) = await ReadAsync(response);
            if (end == ChatEnd.SilentCut || (end == ChatEnd.Done ? text != question.Answer : !question.Answer.StartsWith(text, StringComparison.Ordinal)))
            {
                Wrongs.Enqueue($"{end}, {(isStreaming ? "stream" : "plain")}: \"{text}\" for \"{question.Answer}\"");
            }
            Interlocked.Add(ref _errors, end == ChatEnd.Done ? 0 : 1);
            return end == ChatEnd.Done;
        }
        catch (Exception cut) when (cut is HttpRequestException or IOException or JsonException)
        {
            Wrongs.Enqueue(cut.Message);
            return true;
        }
    }

    private static async Task<(ChatEnd End, string Text)> ReadAsync(HttpResponseMessage response)
    {
        if (response.Content.Headers.ContentType?.MediaType == "text/event-stream")
        {
            using var chat = new OpenChat(response);
            var reply = await chat.ReadAsync();
            return (reply.End, reply.Text);
        }
        using (response)
        {
            using var json = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
            return json.RootElement.TryGetProperty("choices", out var choices) && response.IsSuccessStatusCode
                ? (ChatEnd.Done, choices[0].GetProperty("message").GetProperty("content").GetString() ?? "")
                : (json.RootElement.TryGetProperty("error", out _) && !response.IsSuccessStatusCode ? ChatEnd.Error : ChatEnd.SilentCut, "");
        }
    }
}

/// <summary>A prompt, and what every engine answers to it.</summary>
internal sealed record ChaosQuestion(string Prompt, string Answer)
{
    public string Body(bool isStreaming) => Chat.Body(Prompt, isStreaming: isStreaming);

    /// <summary>Asks an engine that behaves for each answer.</summary>
    public static async Task<IReadOnlyList<ChaosQuestion>> PrepareAsync(Uri engine, int count, Random chance)
    {
        using var client = new HttpClient { BaseAddress = engine };
        var questions = new List<ChaosQuestion>();
        for (var i = 0; i < count; i++)
        {
            var prompt = $"{Chat.Words(10 + chance.Next(chance.Next(6) == 0 ? 1_500 : 200), i)} answer with {1 + chance.Next(chance.Next(6) == 0 ? 250 : 40)} tokens";
            using var content = new StringContent(Chat.Body(prompt), Encoding.UTF8, "application/json");
            using var response = await client.PostAsync(new Uri("/v1/chat/completions", UriKind.Relative), content);
            using var json = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
            questions.Add(new ChaosQuestion(prompt, json.RootElement.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString()!));
        }
        return questions;
    }
}
