using System.Text;
using System.Text.Json;

namespace Gateway.Replay.Traces.Readers;

/// <summary>A whole conversation on one line: every assistant message with request_input_tokens and output_tokens was one request.</summary>
internal static class Conversation
{
    /// <returns>The turns, in order, at time zero; the text of each is all messages before it.</returns>
    public static IEnumerable<TraceRequest> Read(JsonRow row, JsonElement messages, TimeSpan think)
    {
        var session = row.Label("session_id") ?? throw row.Missing("session_id");
        if (messages.ValueKind != JsonValueKind.Array)
        {
            throw row.Spot.Wrong("messages is no array. Allowed: a list of messages with role and content.");
        }

        var text = new StringBuilder();
        var isLater = false;
        foreach (var message in messages.EnumerateArray())
        {
            if (message.ValueKind != JsonValueKind.Object)
            {
                throw row.Spot.Wrong("a message is no object. Allowed: messages with role and content.");
            }

            var turn = new JsonRow(message, row.Spot);
            if (turn.Count(1, "request_input_tokens") is { } input)
            {
                var request = new TraceRequest
                {
                    Arrival = TimeSpan.Zero,
                    InputTokens = input,
                    OutputTokens = turn.RequiredCount(0, "output_tokens"),
                    SessionId = session,
                    Think = isLater ? think : null,
                    Model = row.Label("model"),
                };
                yield return TextBlocks.Give(request, text.ToString());
                isLater = true;
            }

            PromptReader.Append(text, message);
        }
    }
}
