using System.Text.Json;

namespace Gateway.Forwarding.Answers;

/// <summary>Reads the payload of one stream event of any API, in one pass and without allocation.</summary>
public static class AnswerFrame
{
    /// <param name="frame">Where the event's parts stand.</param>
    /// <param name="payload">The data, from <see cref="SseFrame.Payload"/>.</param>
    public static AnswerFacts Read(in SseFrame frame, ReadOnlySpan<byte> payload) =>
        frame.DataLines == 0 ? default : Read(payload);

    /// <summary>The type of an event that is too long to be read, by the name that engines write before its data.</summary>
    /// <param name="beginning">Its first bytes.</param>
    internal static EventType NamedType(ReadOnlySpan<byte> beginning)
    {
        var field = "event:"u8;
        if (!beginning.StartsWith(field) || beginning.IndexOfAny((byte)'\r', (byte)'\n') is not (>= 0 and var end))
        {
            return EventType.None;
        }

        return AnswerPass.TypeOf(beginning[field.Length..end].Trim((byte)' '));
    }

    /// <summary>Reads a payload; the ranges of the result count from its first byte.</summary>
    public static AnswerFacts Read(ReadOnlySpan<byte> payload)
    {
        var text = payload.Trim(" \t\r\n"u8);
        if (text.IsEmpty)
        {
            return default;
        }

        return text.SequenceEqual("[DONE]"u8) ? new AnswerFacts { Shape = AnswerShape.Done } : AnswerBody.Read(payload);
    }
}

/// <summary>Reads a plain JSON answer of any API. Vectors, ranks and texts are passed over, only their syntax is checked.</summary>
public static class AnswerBody
{
    public static AnswerFacts Read(ReadOnlySpan<byte> body)
    {
        if (body.Trim(" \t\r\n"u8).IsEmpty)
        {
            return default;
        }

        var pass = new AnswerPass(body);
        try
        {
            return pass.Run();
        }
        catch (JsonException)
        {
            return new AnswerFacts { Shape = AnswerShape.Malformed };
        }
    }
}
