using System.Text;
using Gateway.Requests;

namespace Gateway.Tests.Requests;

public sealed class PrefixHasherTests
{
    private const int BlockBytes = 64;
    private static readonly PrefixHasher Hasher = new(7, BlockBytes);

    [Fact]
    public void Prefix_NextTurnOfAChat_BeginsWithTheTurnBefore()
    {
        var turns = new List<string>();
        var before = Array.Empty<ulong>();
        for (var turn = 0; turn < 8; turn++)
        {
            turns.Add($"{{\"role\":\"user\",\"content\":\"{Long("question", turn)}\"}}");
            var chain = Prefix($"{{\"model\":\"m\",\"messages\":[{string.Join(", ", turns)}],\"seed\":{turn}}}");

            Assert.Equal(before, chain[..before.Length]);
            Assert.True(chain.Length > before.Length, $"turn {turn}");

            before = chain;
            turns.Add($"{{\"content\":[{{\"type\":\"text\",\"text\":\"{Long("answer", turn)}\"}}],\"role\":\"assistant\"}}");
        }
    }

    [Fact]
    public void Prefix_TextOnlyInTheLastPartialBlock_IsNotHashed()
    {
        var shorter = Prefix(Chat("m", new string('x', BlockBytes + 10)));
        var longer = Prefix(Chat("m", new string('x', BlockBytes + 10) + "tail"));

        Assert.Single(shorter);
        Assert.Equal(shorter, longer);
    }

    [Fact]
    public void Prefix_OneChangedByte_ChangesItsBlockAndAllBehind()
    {
        var text = new string('x', BlockBytes * 6);
        var changed = text.ToCharArray();
        changed[BlockBytes * 3] = 'y';

        var first = Prefix(Chat("m", text));
        var second = Prefix(Chat("m", new string(changed)));

        Assert.Equal(first[..3], second[..3]);
        Assert.All(first.Zip(second).Skip(3), pair => Assert.NotEqual(pair.First, pair.Second));
    }

    [Theory]
    [InlineData("""{"model":"other","messages":M}""")]
    [InlineData("""{"model":"m","messages":M,"cache_salt":"s"}""")]
    [InlineData("""{"model":"m","messages":M,"tools":[{"type":"function","name":"a"}]}""")]
    public void Prefix_OtherModelSaltOrTools_SharesNothing(string template)
    {
        var messages = $"[{{\"role\":\"user\",\"content\":\"{new string('x', 500)}\"}}]";

        var plain = Prefix($"{{\"model\":\"m\",\"messages\":{messages}}}");
        var other = Prefix(template.Replace("M", messages, StringComparison.Ordinal));

        Assert.Empty(plain.Intersect(other));
    }

    [Fact]
    public void Prefix_OrderOfMembersAndForm_DoNotMatter()
    {
        var text = new string('x', 300);

        var one = Prefix($"{{\"model\":\"m\",\"tools\":[1],\"messages\":[{{\"role\":\"assistant\",\"content\":\"{text}\"}}]}}");
        var two = Prefix($"{{\"messages\":[{{\"content\":[{{\"text\":\"{text}\",\"type\":\"text\",\"cache_control\":{{}}}}],\"role\":\"assistant\"}}],\"tools\":[1],\"model\":\"m\"}}");

        Assert.NotEmpty(one);
        Assert.Equal(one, two);
    }

    [Fact]
    public void Prefix_SameTextFromAnotherRoleOrInOtherMessages_Differs()
    {
        static ulong First(string messages) => Prefix($"{{\"model\":\"m\",\"messages\":[{messages}]}}")[0];
        var half = new string('x', 40);

        ulong[] hashes =
        [
            First($"{{\"role\":\"user\",\"content\":\"{half}{half}\"}}"),
            First($"{{\"content\":\"{half}{half}\",\"role\":\"assistant\"}}"),
            First($"{{\"role\":\"tool\",\"content\":\"{half}{half}\"}}"),
            First($"{{\"role\":\"user\",\"content\":\"{half}\"}},{{\"role\":\"user\",\"content\":\"{half}\"}}"),
            First($"{{\"role\":\"user\",\"content\":\"tool{half}{half}\"}}"),
        ];

        Assert.Equal(hashes.Length, hashes.Distinct().Count());
    }

    [Fact]
    public void Prefix_TwoImages_DifferByTheirBytes()
    {
        static string Body(string image) =>
            $"{{\"model\":\"m\",\"messages\":[{{\"role\":\"user\",\"content\":[{{\"type\":\"image_url\",\"image_url\":{{\"url\":\"{image}\"}}}},{{\"type\":\"text\",\"text\":\"{new string('x', 300)}\"}}]}}]}}";

        Assert.NotEqual(Prefix(Body("data:AAAA"))[0], Prefix(Body("data:AAAB"))[0]);
        Assert.Equal(Prefix(Body("data:AAAA")).Length, Prefix(Body("data:" + new string('A', 9_000))).Length);
    }

    [Fact]
    public void Prefix_BillingHeaderOfASystemPrompt_IsSkipped()
    {
        static string Body(string header) =>
            $"{{\"model\":\"m\",\"system\":[{{\"type\":\"text\",\"text\":\"x-anthropic-billing-header: {header}\"}},{{\"type\":\"text\",\"text\":\"{new string('s', 300)}\"}}],\"messages\":[]}}";

        var first = Read(Body("cch=1"), ApiRoute.Messages, out var firstFacts);
        var second = Read(Body("cch=2"), ApiRoute.Messages, out var secondFacts);

        Assert.NotEmpty(first);
        Assert.Equal(first, second);
        Assert.Equal(firstFacts.SystemPromptKey, secondFacts.SystemPromptKey);
    }

    [Fact]
    public void Prefix_TokenIds_DoNotDependOnSpaces()
    {
        var ids = Enumerable.Range(0, 100).ToArray();

        var tight = Read($"{{\"model\":\"m\",\"prompt\":[{string.Join(',', ids)}]}}", ApiRoute.Completions, out _);
        var wide = Read($"{{\"model\":\"m\",\"prompt\":[ {string.Join(" , ", ids)} ]}}", ApiRoute.Completions, out _);

        Assert.Equal(100 * 4 / BlockBytes, tight.Length);
        Assert.Equal(tight, wide);
    }

    [Fact]
    public void Prefix_ResponsesInputAsTextOrAsFirstItem_IsTheSame()
    {
        var text = new string('x', 300);

        var plain = Read($"{{\"model\":\"m\",\"input\":\"{text}\"}}", ApiRoute.Responses, out _);
        var item = Read($"{{\"model\":\"m\",\"input\":[{{\"role\":\"user\",\"content\":\"{text}\"}},{{\"role\":\"assistant\",\"content\":\"{text}\"}}]}}", ApiRoute.Responses, out _);

        Assert.Equal(plain, item[..plain.Length]);
    }

    [Fact]
    public void SystemPromptKey_OfManyBodies_DependsOnSystemAndToolsOnly()
    {
        static ulong Key(string system, string user, string tools)
        {
            Read($"{{\"model\":\"m\",\"messages\":[{{\"role\":\"system\",\"content\":\"{system}\"}},{{\"role\":\"user\",\"content\":\"{user}\"}}],\"tools\":{tools}}}", ApiRoute.ChatCompletions, out var facts);
            return facts.SystemPromptKey;
        }

        Assert.Equal(Key("s", "a", "[1]"), Key("s", "b", "[1]"));
        Assert.NotEqual(Key("s", "a", "[1]"), Key("t", "a", "[1]"));
        Assert.NotEqual(Key("s", "a", "[1]"), Key("s", "a", "[2]"));
        Read(Chat("m", "hello"), ApiRoute.ChatCompletions, out var none);
        Assert.Equal(0ul, none.SystemPromptKey);
    }

    [Fact]
    public void Prefix_HoweverTheStreamIsCut_IsTheSame()
    {
        var seed = new Random(5);
        var text = new byte[1000];
        seed.NextBytes(text);
        var whole = Stream(text, text.Length, seed);

        for (var round = 0; round < 200; round++)
        {
            Assert.Equal(whole, Stream(text, 150, seed));
        }
    }

    [Fact]
    public void Key_ManyTexts_SpreadsAndDependsOnTheKey()
    {
        var keys = new HashSet<ulong>();
        var low = new int[16];
        for (var i = 0; i < 20_000; i++)
        {
            var key = Hasher.Key(Encoding.UTF8.GetBytes($"session-{i}"));
            keys.Add(key);
            low[key & 15]++;
        }

        Assert.Equal(20_000, keys.Count);
        Assert.All(low, count => Assert.InRange(count, 1_050, 1_450));
        Assert.NotEqual(Hasher.Key("a"u8), new PrefixHasher(8, BlockBytes).Key("a"u8));
        Assert.NotEqual(Hasher.Key("a"u8), Hasher.Key("a\0"u8));
        Assert.NotEqual(0ul, Hasher.Key(default));
    }

    [Fact]
    public void Key_IsPinned_BecauseGatewaysShareIt()
    {
        Assert.Equal(new PrefixHasher(1).Key("session"u8), new PrefixHasher(1, 128).Key("session"u8));
        Assert.Equal(GoldenKey, new PrefixHasher(1).Key("session"u8));
    }

    private const ulong GoldenKey = 17857827980489869194;

    private static ulong[] Stream(byte[] text, int mostBytes, Random seed)
    {
        var blocks = new ulong[20];
        var stream = new PrefixStream(Hasher, 1, new byte[PrefixHasher.MaxBlockBytes], blocks);
        for (var at = 0; at < text.Length;)
        {
            var length = Math.Min(text.Length - at, mostBytes == text.Length ? mostBytes : seed.Next(mostBytes));
            stream.Append(text.AsSpan(at, length));
            at += length;
        }

        return blocks[..stream.Count];
    }

    private static string Chat(string model, string text) => $"{{\"model\":\"{model}\",\"messages\":[{{\"role\":\"user\",\"content\":\"{text}\"}}]}}";

    private static string Long(string word, int turn) => string.Join(' ', Enumerable.Repeat($"{word}{turn}", 20));

    private static ulong[] Prefix(string body) => Read(body, ApiRoute.ChatCompletions, out _);

    private static ulong[] Read(string body, ApiRoute route, out BodyFacts facts)
    {
        Assert.Null(BodyReader.Read(Encoding.UTF8.GetBytes(body), route, Hasher, out facts, out var prefix));
        Assert.Equal(BlockBytes, prefix.BlockBytes);
        return prefix.Blocks;
    }
}
