using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Gateway.Requests;
using Gateway.Tests.Fixtures;
using Xunit.Abstractions;

namespace Gateway.Tests.Fuzzing;

/// <summary>Whatever a client sends: a problem in the documented words, or facts that fit the JSON as an engine will read it.</summary>
public sealed class BodyFuzzTests(ITestOutputHelper output)
{
    // Stands in every prompt and model: what a problem says must not hold it.
    private const string Planted = "qzplantedzq";

    private static readonly PrefixHasher Hasher = new(99, 64);

    private static readonly HashSet<string> Codes = ["invalid_json", "invalid_value", "missing_required_parameter", "invalid_multipart"];

    private static readonly Mutations Bodies = Mutations.Of(
        [
            $$$$"""{"model":"m-{{{{Planted}}}}","messages":[{"role":"system","content":"{{{{Planted}}}}"},{"role":"user","content":[{"type":"text","text":"a\u00e9\n{{{{Planted}}}} b"},{"type":"image_url","image_url":{"url":"http://10.0.0.1/x.png"}}]}],"stream":true,"stream_options":{"include_usage":null},"tools":[{"type":"function","function":{"name":"f","parameters":{}}}],"tool_choice":"required","n":3,"max_tokens":20,"priority":-4}""",
            $$$$"""{"prompt":["{{{{Planted}}}}",[1,2,3]],"model":"m","max_tokens":7,"min_tokens":2,"ignore_eos":true,"best_of":2,"stop":["a","b"],"stream":false,"logprobs":1,"suffix":null}""",
            $$$$"""{"model":"m","input":[{"role":"user","content":"{{{{Planted}}}}"},{"type":"function_call_output","output":"x"}],"instructions":"{{{{Planted}}}}","stream":true,"store":false,"previous_response_id":"resp_1","max_output_tokens":9,"reasoning":{"effort":"low"},"text":{"format":{"type":"json_schema"}}}""",
            $$$$"""{"model":"m","system":[{"type":"text","text":"{{{{Planted}}}}"}],"messages":[{"role":"user","content":"{{{{Planted}}}}"},{"role":"assistant","content":"so"}],"max_tokens":100,"thinking":{"type":"enabled","budget_tokens":10},"stop_sequences":["x"],"metadata":{"user_id":"u"}}""",
            "{\"model\":\"m\",\"query\":\"q\",\"documents\":[\"ab\",{\"text\":\"cd\"}],\"cache_salt\":\"s\",\"rid\":1,\"lora_path\":\"/x\",\"chat_template\":\"t\",\"nvext\":{\"cache_salt\":\"s\",\"agent_hints\":{\"osl\":5},\"backend_instance_id\":9},\"prompt_cache_key\":\"k\",\"user\":\"u\"}",
            "\uFEFF { \"model\" : \"m\\u0041\" , \"input\" : \"text\" , \"tokens\" : [1,2] , \"stream_options\" : { } }",
        ],
        "\"model\":", "\"model\":\"x\",", "\"MODEL\":\"x\",", "\"mod\\u0065l\":\"y\",", "\"stream\":true,", "\"stream_options\":", "{\"include_usage\":false}", "\"messages\":[", "\"content\":", "\"cache_salt\":\"\",",
        "\"rid\":[],", "\"priority\":1,", "\"n\":", "\"max_tokens\":", "\"prompt\":", "[[", "{\"", "\":{", "//", "/*", "data:image/png;base64,", "file:///etc/passwd", "true,", "null,");

    [Fact]
    public Task Read_MutatedBodies_GivesTheFactsOfTheJsonOrAProblem() => FuzzAsync(8_000, seed: 1);

    [Fact]
    [Trait("Category", "Long")]
    public Task Read_AMillionMutatedBodies_GivesTheFactsOfTheJsonOrAProblem() => FuzzAsync(Fuzzer.LongCases, seed: 2);

    [Theory]
    [InlineData(3, 5_000)]
    public async Task Feed_MutatedForms_IsBoundedAndDoesNotDependOnThePieces(int seed, int cases)
    {
        var forms = Mutations.Of(
            [
                $"--XX\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm-{Planted}\r\n--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\nContent-Type: audio/wav\r\n\r\nRIFF\r\n--X\r\n\r\n--XX--\r\n",
                "preamble\r\n--XX \r\ncontent-disposition: form-data; name=stream\r\n\r\ntrue\r\n--XX\r\nContent-Disposition: form-data; name=\"response_format\"\r\n\r\njson\r\n--XX--",
            ],
            "\r\n--XX", "\r\n--XX--", "--XX\r\n", "\r\n\r\n", "Content-Disposition: form-data; name=\"model\"\r\n\r\n", "name=", "filename*=", "\\\"", ";");
        await new Fuzzer(output, seed) { FreeBytes = 96 << 10, BytesPerInputByte = 64 }.RunAsync(
            cases, forms.Next, (body, chance) => (Whole: Scan([body]), Pieces: Scan(body.Chunk(chance.Next(1, 50)))), (_, scans) =>
            {
                Assert.Equal(scans.Whole, scans.Pieces);
                AssertTold(scans.Whole.Problem);
            });
    }

    private Task FuzzAsync(int cases, int seed) => new Fuzzer(output, seed).RunAsync(cases, Bodies.Next, (body, chance) => Read(body, chance.Next(ApiRoute.All.Count)), Check);

    private static ReadBody Read(byte[] body, int route)
    {
        ContinuedBody? continued = null;
        var problem = BodyReader.Read(body, ApiRoute.All[route], Hasher, out var facts, out var prefix);
        facts.Sketch?.Return();
        if (problem is null && ApiRoute.All[route].Kind is ApiKind.ChatCompletions or ApiKind.Completions)
        {
            continued = ContinuedBody.Of(body, ApiRoute.All[route], new AnswerBeginning(" so far"u8.ToArray(), 3));
        }
        return new ReadBody(ApiRoute.All[route], problem, facts, prefix.Blocks.Length, continued);
    }

    private static void Check(byte[] body, ReadBody read)
    {
        if (Parsed(body) is not { } json)
        {
            Assert.Equal("invalid_json", read.Problem?.Code);
            AssertTold(read.Problem);
            return;
        }
        using (json)
        {
            if (read.Problem is not null)
            {
                AssertTold(read.Problem);
                return;
            }
            var members = json.RootElement.EnumerateObject().ToList();
            Assert.Equal(members.Single(member => NameOf(member) == "model").Value.GetString(), read.Facts.Model);
            Assert.True(read.Facts.PromptBytes >= 0 && read.Facts.PromptBytes <= body.Length && read.Blocks <= (body.Length / Hasher.BlockBytes) + 1);
            Assert.True(read.Facts is { Choices: >= 1, Prompts: >= 0, MinOutputTokens: >= 0 } && read.Facts.MaxOutputTokens is null or >= 0);
            CheckSpliced(body, read, members);
        }
    }

    // Only what was to change has changed, as a JSON parser sees it.
    private static void CheckSpliced(byte[] body, ReadBody read, List<JsonProperty> members)
    {
        var changes = new BodyChanges("other", IncludesUsage: true, Priority: 7, RemovesTrustedOnly: true, CacheSalt: "salt");
        using var json = Spliced(body, read, changes);
        var kept = json.RootElement.EnumerateObject().ToList();
        Assert.Equal("other", kept.Single(member => NameOf(member) == "model").Value.GetString());
        Assert.Equal(7, kept.Last(member => NameOf(member) == "priority").Value.GetInt32());
        Assert.Equal(Kept(members), Kept(kept));
        if (read.Continued is { } continued)
        {
            using var rest = Spliced(body, read, changes with { Continued = continued });
            Assert.True(JsonMarshal.GetRawUtf8Value(rest.RootElement).IndexOf(" so far"u8) > 0);
        }
    }

    private static JsonDocument Spliced(byte[] body, ReadBody read, in BodyChanges changes)
    {
        var spliced = BodySplicer.Splice(body, read.Route, read.Facts, changes);
        var bytes = spliced.Bytes();
        return Parsed(bytes) ?? throw new InvalidOperationException($"What goes to the engine is no JSON: {Encoding.UTF8.GetString(bytes)}");
    }

    // As they are written: a name or text may hold what no string can.
    private static List<string> Kept(List<JsonProperty> members) =>
        [.. members.Where(IsKept).Select(member => Convert.ToHexString(JsonMarshal.GetRawUtf8PropertyName(member)) + ":" + ValueOf(member))];

    // Of all that is nested, only this member loses some of its own.
    private static string ValueOf(JsonProperty member) => NameOf(member) == "nvext" && member.Value.ValueKind == JsonValueKind.Object
        ? string.Join(',', member.Value.EnumerateObject().Where(inner => NameOf(inner) is not ("cache_salt" or "backend_instance_id")).Select(ValueOf))
        : Convert.ToHexString(JsonMarshal.GetRawUtf8Value(member.Value));

    private static bool IsKept(JsonProperty member) =>
        NameOf(member) is not ("model" or "stream_options" or "priority" or "cache_salt") && !BodyFields.IsTrustedOnly(BodyFields.Find(Encoding.UTF8.GetBytes(NameOf(member) ?? "")));

    // Null: the name is none that a string can hold, and the base library would throw for it.
    private static string? NameOf(JsonProperty member)
    {
        var raw = JsonMarshal.GetRawUtf8PropertyName(member);
        var name = new byte[raw.Length];
        return JsonText.TryUnescape(raw, name, out var length) && System.Text.Unicode.Utf8.IsValid(name.AsSpan(0, length)) ? Encoding.UTF8.GetString(name, 0, length) : null;
    }

    private static JsonDocument? Parsed(byte[] body)
    {
        var start = body.AsSpan().StartsWith("\uFEFF"u8) ? 3 : 0;
        try
        {
            var json = JsonDocument.Parse(body.AsMemory(start), new JsonDocumentOptions { MaxDepth = BodyReader.MaxDepth });
            return json.RootElement.ValueKind == JsonValueKind.Object ? json : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static void AssertTold(BodyProblem? problem)
    {
        Assert.True(problem is null || Codes.Contains(problem.Code), problem?.Code);
        Assert.DoesNotContain(Planted, $"{problem?.Message}{problem?.Param}", StringComparison.Ordinal);
    }

    private static ScannedForm Scan(IEnumerable<byte[]> pieces)
    {
        var scanner = MultipartModelScanner.Create("multipart/form-data; boundary=XX")!;
        foreach (var piece in pieces)
        {
            scanner.Feed(piece);
        }
        return new ScannedForm(scanner.Finish(), scanner.Model, scanner.ModelStart, scanner.ModelLength, scanner.IsStreaming, scanner.Problem);
    }

    private sealed record ReadBody(ApiRoute Route, BodyProblem? Problem, BodyFacts Facts, int Blocks, ContinuedBody? Continued);

    private sealed record ScannedForm(MultipartScan Status, string Model, long ModelStart, int ModelLength, bool IsStreaming, BodyProblem? Problem);
}
