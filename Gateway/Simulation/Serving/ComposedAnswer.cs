using System.Text;

namespace Gateway.Simulation.Serving;

/// <summary>What an answer's text has to look like.</summary>
internal enum AnswerShape
{
    Prose,

    /// <summary>One JSON object, also the form of a tool call's arguments.</summary>
    Json,
}

/// <summary>An answer as the engine will emit it: one piece per token, why it ends, and the stop string that ended it, if one did.</summary>
internal sealed record ComposedAnswer(byte[][] Pieces, string FinishReason, string? StoppedBy = null)
{
    private static readonly byte[] JsonOpen = "{\"text\":\""u8.ToArray();
    private static readonly byte[] JsonOpenEscaped = "{\\\"text\\\":\\\""u8.ToArray();
    private static readonly byte[] JsonClose = "\"}"u8.ToArray();
    private static readonly byte[] JsonCloseEscaped = "\\\"}"u8.ToArray();

    public static ComposedAnswer Compose(ulong seed, PromptText prompt, SamplingFields fields, int maxTokens, int choice, AnswerShape shape)
    {
        if (shape == AnswerShape.Json)
        {
            var words = SimulatedText.Answer(seed, prompt.Bytes, prompt.LastTurn, new AnswerLimits { Choice = choice, MinTokens = fields.MinTokens }).Pieces;
            byte[][] pieces = [JsonOpen, .. words, JsonClose];
            return pieces.Length > maxTokens ? new ComposedAnswer(pieces[..maxTokens], "length") : new ComposedAnswer(pieces, "stop");
        }

        var limits = new AnswerLimits { MaxTokens = maxTokens, MinTokens = Math.Min(fields.MinTokens, maxTokens), IgnoresEnd = fields.IgnoresEnd, Choice = choice };
        var answer = SimulatedText.Answer(seed, prompt.Bytes, prompt.LastTurn, limits);
        var composed = new ComposedAnswer(answer.Pieces, answer.IsCut ? "length" : "stop");
        return fields.Stop.Count == 0 ? composed : composed.EndingBefore(fields.Stop);
    }

    /// <summary>A piece as it stands inside a JSON string. Words need no escapes; the two pieces of the JSON shape do.</summary>
    public static byte[] Escaped(byte[] piece) =>
        ReferenceEquals(piece, JsonOpen) ? JsonOpenEscaped : ReferenceEquals(piece, JsonClose) ? JsonCloseEscaped : piece;

    public static string Text(IEnumerable<byte[]> pieces) => Encoding.UTF8.GetString([.. pieces.SelectMany(piece => piece)]);

    private ComposedAnswer EndingBefore(IReadOnlyList<string> stops)
    {
        var text = Text(Pieces);
        var (end, stopEnd) = (text.Length, -1);
        string? stoppedBy = null;
        foreach (var stop in stops)
        {
            var at = text.IndexOf(stop, StringComparison.Ordinal);
            if (at >= 0 && at < end)
            {
                (end, stopEnd, stoppedBy) = (at, at + stop.Length, stop);
            }
        }

        if (stopEnd < 0)
        {
            return this;
        }

        // The tokens of the stop string are generated, and counted, but not sent. Answers are ASCII, so characters are bytes.
        var pieces = new List<byte[]>();
        for (var (start, index) = (0, 0); start < stopEnd; start += Pieces[index++].Length)
        {
            pieces.Add(Pieces[index][..Math.Clamp(end - start, 0, Pieces[index].Length)]);
        }

        return new ComposedAnswer([.. pieces], "stop", stoppedBy);
    }
}
