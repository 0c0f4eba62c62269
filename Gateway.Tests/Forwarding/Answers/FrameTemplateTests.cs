using System.Text;
using Gateway.Forwarding.Answers;

namespace Gateway.Tests.Forwarding.Answers;

public class FrameTemplateTests
{
    private const string Chat = """{"id":"c","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{"content":" one"},"logprobs":null,"finish_reason":null}]}""";
    private const string Block = """{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hel"}}""";

    [Theory]
    [InlineData(Chat, " one", " another")]
    [InlineData(Chat, " one", "\u00e9\u4e16\ud83d\ude00")]
    [InlineData(Block, "Hel", "lo")]
    public void TryRead_OfAnEventWithOtherText_SaysWhatParsingSays(string first, string text, string other)
    {
        var next = Bytes(first.Replace(text, other, StringComparison.Ordinal));
        var template = Learned(first);

        Assert.True(template.TryRead(next, out var facts));
        Assert.Equal(Told(AnswerFrame.Read(next)), Told(facts));
    }

    [Theory]
    [InlineData("\"content\":\" one\"", "\"content\":\"\"")]
    [InlineData("\"content\":\" one\"", "\"content\":\"a\\nb\"")]
    [InlineData("\"content\":\" one\"", "\"content\":\"a\\\"}\"")]
    [InlineData("\"content\":\" one\"", "\"content\":\"a\"},\"delta\":{\"content\":\"b\"")]
    [InlineData("\"finish_reason\":null", "\"finish_reason\":\"stop\"")]
    [InlineData("\"model\":\"m\"", "\"model\":\"n\"")]
    public void TryRead_OfAnEventThatSaysSomethingElse_LeavesItToBeParsed(string part, string other)
    {
        var template = Learned(Chat);

        Assert.False(template.TryRead(Bytes(Chat.Replace(part, other, StringComparison.Ordinal)), out _));
    }

    [Fact]
    public void Learn_OfAnEventWithUsageBehindItsText_KeepsNothing()
    {
        var counted = Chat[..^1] + ",\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}";
        var template = Learned(counted);

        Assert.False(template.TryRead(Bytes(counted), out _));
    }

    [Fact]
    public void TryRead_OfDamagedEvents_NeverSaysOtherThanParsing()
    {
        const int Seed = 20;
        var chance = new Random(Seed);
        var recognised = 0;
        for (var round = 0; round < 20_000; round++)
        {
            var first = round % 2 == 0 ? Chat : Block;
            var template = Learned(first);
            var next = Damaged(Bytes(first), chance);

            if (template.TryRead(next, out var facts))
            {
                recognised++;
                Assert.True(Told(AnswerFrame.Read(next)) == Told(facts), $"seed {Seed}, round {round}: {Encoding.UTF8.GetString(next)}");
            }
        }
        Assert.InRange(recognised, 100, 19_000);
    }

    private static byte[] Damaged(byte[] payload, Random chance)
    {
        var bytes = payload.ToList();
        for (var edits = chance.Next(1, 3); edits > 0; edits--)
        {
            var at = chance.Next(bytes.Count);
            var value = chance.Next(3) == 0 ? bytes[chance.Next(bytes.Count)] : (byte)chance.Next(256);
            switch (chance.Next(3))
            {
                case 0:
                    bytes[at] = value;
                    break;
                case 1:
                    bytes.Insert(at, value);
                    break;
                default:
                    bytes.RemoveAt(at);
                    break;
            }
        }
        return [.. bytes];
    }

    private static FrameTemplate Learned(string payload)
    {
        var template = new FrameTemplate();
        template.Learn(Bytes(payload), AnswerFrame.Read(Bytes(payload)));
        return template;
    }

    private static string Told(AnswerFacts facts) =>
        string.Join(", ", typeof(AnswerFacts).GetProperties().Select(property => $"{property.Name}={property.GetValue(facts)}"));

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);
}
