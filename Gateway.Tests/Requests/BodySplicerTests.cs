using System.Text;
using System.Text.Json.Nodes;
using Gateway.Requests;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.Requests;

public sealed class BodySplicerTests
{
    private static readonly PrefixHasher Hasher = new(1);

    [Theory]
    [InlineData("""{"model":"a","stream":true}""", """{"stream_options":{"include_usage":true},"model":"a","stream":true}""")]
    [InlineData("""{ "stream_options":{},"model":"a","stream":true}""", """{ "stream_options":{"include_usage":true},"model":"a","stream":true}""")]
    [InlineData("""{"stream_options":{ "x":1 },"model":"a","stream":true}""", """{"stream_options":{"include_usage":true, "x":1 },"model":"a","stream":true}""")]
    [InlineData("""{"stream_options":{"include_usage":false,"x":1},"model":"a","stream":true}""", """{"stream_options":{"include_usage":true,"x":1},"model":"a","stream":true}""")]
    [InlineData("""{"stream_options":{"include_usage":null},"model":"a","stream":true}""", """{"stream_options":{"include_usage":true},"model":"a","stream":true}""")]
    [InlineData("""{"stream_options":null,"model":"a","stream":true}""", """{"stream_options":{"include_usage":true},"model":"a","stream":true}""")]
    [InlineData("""{"stream_options":{"include_usage":true},"model":"a","stream":true}""", """{"stream_options":{"include_usage":true},"model":"a","stream":true}""")]
    [InlineData("""{"model":"a"}""", """{"model":"a"}""")]
    public void Splice_Usage_TouchesNothingElse(string body, string expected)
    {
        Assert.Equal(expected, Splice(body, new BodyChanges(IncludesUsage: true)));
    }

    [Fact]
    public void Splice_UsageOnARouteWithoutTheOption_ChangesNothing()
    {
        const string Body = """{"model":"a","stream":true}""";

        Assert.Equal(Body, Splice(Body, new BodyChanges(IncludesUsage: true), ApiRoute.Responses));
        Assert.Equal(Body, Splice(Body, new BodyChanges(IncludesUsage: true), ApiRoute.Messages));
    }

    [Fact]
    public void Splice_EverythingAtOnce_KeepsTheOrderOfTheRest()
    {
        var spliced = Splice("""{"a":1.50,"model":"x","stream":true,"é":"<\u003c"}""", new BodyChanges("org/\"m\"\n", true, -7));

        Assert.Equal("""{"stream_options":{"include_usage":true},"priority":-7,"a":1.50,"model":"org/\"m\"\n","stream":true,"é":"<\u003c"}""", spliced);
    }

    [Fact]
    public void Splice_EveryChangeAtAPlaceOfItsOwn_MakesThemAll()
    {
        var spliced = Splice("""{"priority":1,"model":"x","stream":true,"stream_options":{}}""", new BodyChanges("y", true, 2, CacheSalt: "s"));

        Assert.Equal("""{"cache_salt":"s","priority":2,"model":"y","stream":true,"stream_options":{"include_usage":true}}""", spliced);
    }

    [Fact]
    public void Splice_PriorityThatIsThere_IsReplaced()
    {
        Assert.Equal("""{"priority":4,"model":"x"}""", Splice("""{"priority":null,"model":"x"}""", new BodyChanges(Priority: 4)));
    }

    [Fact]
    public void Splice_NoChange_IsTheOriginalMemory()
    {
        ReadOnlyMemory<byte> body = """{"model":"x"}"""u8.ToArray();
        BodyReader.Read(body.Span, ApiRoute.ChatCompletions, Hasher, out var facts, out _);

        var spliced = BodySplicer.Splice(body, ApiRoute.ChatCompletions, facts, new BodyChanges("x"));

        Assert.Equal(1, spliced.Segments.Length);
        Assert.True(spliced.Segments[0].Equals(body));
    }

    [Fact]
    public void Splice_DrawnBodies_StayJsonAndMeanTheSameButForTheChanges()
    {
        const int Seed = 99;
        var chance = new Random(Seed);
        for (var round = 0; round < 5_000; round++)
        {
            var body = Draw(chance);
            var changes = new BodyChanges(
                chance.Next(2) == 0 ? "up\\stream\u0001é" : null, chance.Next(2) == 0, chance.Next(2) == 0 ? chance.Next(-9, 9) : null);
            var route = chance.Next(2) == 0 ? ApiRoute.ChatCompletions : ApiRoute.Completions;

            var actual = JsonNode.Parse(Splice(body, changes, route))!.AsObject();

            var expected = JsonNode.Parse(body)!.AsObject();
            expected["model"] = changes.Model ?? expected["model"]!.GetValue<string>();
            if (changes.Priority is { } priority)
            {
                expected["priority"] = priority;
            }

            if (changes.IncludesUsage && expected["stream"] is JsonValue stream && stream.GetValue<bool>())
            {
                var options = expected["stream_options"] as JsonObject ?? [];
                options["include_usage"] = true;
                expected["stream_options"] = options.DeepClone();
            }

            Assert.True(JsonNode.DeepEquals(expected, actual), $"seed {Seed}, round {round}: {body}");
        }
    }

    [Fact]
    public async Task WriteToAsync_ToAnyStream_GivesAllPiecesInOrder()
    {
        var body = """{"model":"a","stream":true}"""u8.ToArray();
        BodyReader.Read(body, ApiRoute.ChatCompletions, Hasher, out var facts, out _);
        var spliced = BodySplicer.Splice(body, ApiRoute.ChatCompletions, facts, new BodyChanges("b", true, 1));
        using var written = new MemoryStream();

        await spliced.WriteToAsync(written, CancellationToken.None);

        Assert.Equal(spliced.Bytes(), written.ToArray());
    }

    private static string Draw(Random chance)
    {
        var members = new List<string> { "\"model\":\"m\\u0041\"" };
        string[] optional =
        [
            "\"stream\":true", "\"stream\":false", "\"priority\":3", "\"priority\": null ", "\"x\":{\"stream_options\":{\"include_usage\":false},\"model\":\"no\"}",
            "\"messages\":[{\"role\":\"user\",\"content\":\"{\\\"model\\\":\\\"q\\\"}\"}]", "\"é\":[1e5,-0.0,\"\\ud83d\\ude00\"]",
        ];
        string[] options = ["null", "{}", "{ }", "{\"include_usage\":false}", "{\"include_usage\": null , \"y\":[]}", "{\"y\":{\"include_usage\":1}}", "{\"include_usage\":true}"];
        members.AddRange(optional.Where(_ => chance.Next(2) == 0).DistinctBy(member => member.Split(':')[0]));
        if (chance.Next(2) == 0)
        {
            members.Add($"\"stream_options\" : {options[chance.Next(options.Length)]}");
        }

        return "{" + string.Join(chance.Next(2) == 0 ? " , \n" : ",", members.OrderBy(_ => chance.Next())) + "}";
    }

    private static string Splice(string body, BodyChanges changes, ApiRoute? route = null)
    {
        route ??= ApiRoute.ChatCompletions;
        var bytes = Encoding.UTF8.GetBytes(body);
        Assert.Null(BodyReader.Read(bytes, route, Hasher, out var facts, out _));
        var spliced = BodySplicer.Splice(bytes, route, facts, changes);
        return Encoding.UTF8.GetString(spliced.Bytes());
    }
}
