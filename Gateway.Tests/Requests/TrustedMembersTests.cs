using System.Text;
using System.Text.Json.Nodes;
using Gateway.Requests;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.Requests;

/// <summary>What only trusted callers may send goes out of the bytes, and nothing else does.</summary>
public sealed class TrustedMembersTests
{
    private static readonly string[] Names =
    [
        "priority", "cache_salt", "extra_key", "kv_transfer_params", "ec_transfer_params", "bootstrap_host", "bootstrap_port", "bootstrap_room", "routed_dp_rank",
        "data_parallel_rank", "rid", "request_id", "session_params", "routing_key", "lora_path", "return_hidden_states", "custom_labels", "id_slot", "chat_template",
        "mm_processor_kwargs", "keep_alive", "_debug_render_only",
    ];

    public static TheoryData<string> All => [.. Names];

    [Theory, MemberData(nameof(All))]
    public void Splice_OfEachMember_RemovesItOnEveryRoute(string name)
    {
        var value = name == "priority" ? "7" : """{"a":[1,"}"]}""";
        var body = $$"""{"model":"m","{{name}}":{{value}},"x":1.50}""";

        Assert.Equal("""{"model":"m","x":1.50}""", Splice(body));
        Assert.Equal("""{"model":"m","x":1.50}""", Splice(body, ApiRoute.Embeddings));
        Assert.Equal(body, Splice(body, changes: new BodyChanges()));
    }

    [Theory]
    [InlineData("""{"rid":"a","model":"m"}""", """{"model":"m"}""")]
    [InlineData("""{"model":"m","rid":"a"}""", """{"model":"m"}""")]
    [InlineData("""{"model":"m" , "rid" : "a" }""", """{"model":"m"  }""")]
    [InlineData("""{ "rid":"a", "rid":"b" ,"model":"m", "priority":1,"keep_alive":-1}""", """{ "model":"m"}""")]
    [InlineData("""{"rid":1,"a":1,"rid":2,"b":2,"rid":3,"model":"m"}""", """{"a":1,"b":2,"model":"m"}""")]
    [InlineData("""{"r\u0069d":"a","model":"m"}""", """{"model":"m"}""")]
    [InlineData("""{"Keep_Alive":0,"RID":1,"model":"m"}""", """{"model":"m"}""")]
    [InlineData("""{"metadata":{"rid":1},"model":"m"}""", """{"metadata":{"rid":1},"model":"m"}""")]
    [InlineData("""{"nvext":{"cache_salt":"x","agent_hints":{"osl":5},"backend_instance_id":9},"model":"m"}""", """{"nvext":{"agent_hints":{"osl":5}},"model":"m"}""")]
    [InlineData("""{"nvext":{"cache_salt":"x"},"rid":1,"model":"m"}""", """{"nvext":{},"model":"m"}""")]
    [InlineData("""{"vllm_xargs":{"cache_salt":"x"},"model":"m"}""", """{"vllm_xargs":{"cache_salt":"x"},"model":"m"}""")]
    public void Splice_OfMembersAnywhere_KeepsEveryOtherByte(string body, string expected) => Assert.Equal(expected, Splice(body));

    [Fact]
    public void Splice_WithASalt_PutsTheTenantsInThePlaceOfTheClients()
    {
        var changes = new BodyChanges("up", IncludesUsage: true, RemovesTrustedOnly: true, CacheSalt: "abc");

        Assert.Equal(
            """{"stream_options":{"include_usage":true},"cache_salt":"abc","model":"up","stream":true}""",
            Splice("""{"cache_salt":"mine","model":"m","stream":true,"priority":3}""", changes: changes));
    }

    [Fact]
    public void Splice_WithASaltForATrustedCaller_KeepsItsOwn()
    {
        var changes = new BodyChanges(CacheSalt: "abc");

        Assert.Equal("""{"cache_salt":"mine","model":"m"}""", Splice("""{"cache_salt":"mine","model":"m"}""", changes: changes));
        Assert.Equal("""{"cache_salt":"abc","model":"m"}""", Splice("""{"model":"m"}""", changes: changes));
        Assert.Equal("""{"model":"m"}""", Splice("""{"model":"m"}""", ApiRoute.Embeddings, changes));
    }

    [Fact]
    public void Read_OfAModelInOtherLettersToo_IsRefused()
    {
        Assert.Equal("invalid_value", Read("""{"model":"m","MODEL":"other"}""", ApiRoute.ChatCompletions, out _)!.Code);
        Assert.Equal("missing_required_parameter", Read("""{"Model":"m"}""", ApiRoute.ChatCompletions, out _)!.Code);
    }

    [Fact]
    public void Read_OfTooManyPlaces_IsRefusedBeforeTheyFillMemory()
    {
        var many = string.Concat(Enumerable.Repeat("\"rid\":1,\"a\":1,", BodyReader.MaxTrustedOnlyPlaces + 1));

        Assert.Equal("invalid_value", Read("{" + many + "\"model\":\"m\"}", ApiRoute.ChatCompletions, out _)!.Code);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Splice_OfRandomBodies_LeavesTheJsonOfTheOtherMembers(int seed)
    {
        var chance = new Random(seed);
        for (var i = 0; i < 2_000; i++)
        {
            var members = Enumerable.Range(0, chance.Next(8)).Select(n => chance.Next(2) == 0 ? $"\"k{n}\"" : $"\"{Names[chance.Next(Names.Length)]}\"").Append("\"model\"").ToArray();
            chance.Shuffle(members);
            var text = $"{{{Blank(chance)}{string.Join(',', members.Select(name => $"{Blank(chance)}{name}{Blank(chance)}:{Blank(chance)}{(name == "\"model\"" ? "\"m\"" : "5")}{Blank(chance)}"))}}}";

            var spliced = JsonNode.Parse(Splice(text, changes: new BodyChanges("up", RemovesTrustedOnly: true, CacheSalt: "s")))!.AsObject();

            var expected = members.Select(name => name.Trim('"')).Where(name => !Names.Contains(name)).Prepend("cache_salt").ToArray();
            Assert.True(expected.SequenceEqual(spliced.Select(member => member.Key)), $"seed {seed}, step {i}: {text} became {spliced.ToJsonString()}");
            Assert.Equal("up", (string?)spliced["model"]);
        }
    }

    private static string Blank(Random chance) => chance.Next(4) switch { 0 => " ", 1 => "\n\t", _ => "" };

    private static string Splice(string text, ApiRoute? route = null, BodyChanges? changes = null)
    {
        route ??= ApiRoute.ChatCompletions;
        Assert.Null(Read(text, route, out var facts));
        var spliced = BodySplicer.Splice(Encoding.UTF8.GetBytes(text), route, facts, changes ?? new BodyChanges(RemovesTrustedOnly: true));
        return Encoding.UTF8.GetString(spliced.Bytes());
    }

    private static BodyProblem? Read(string text, ApiRoute route, out BodyFacts facts) =>
        BodyReader.Read(Encoding.UTF8.GetBytes(text), route, new PrefixHasher(1), out facts, out _);
}
