using Gateway.Requests;
using Gateway.Requests.Sketching;

namespace Gateway.Estimation.Learned;

/// <summary>The numbers of a request that say something about its answer, in one order.</summary>
internal static class FeatureNumbers
{
    /// <summary>How many there are.</summary>
    public const int Count = 26;

    /// <summary>The text's length.</summary>
    public const int TextBytes = 0;

    /// <summary>The text's length, and those beside it whose place in their key's own range tells more than a straight line can.</summary>
    public static readonly int[] Stepped = [TextBytes, 1, 13, 14];

    /// <param name="body">The request.</param>
    /// <param name="numbers">Where they go, <see cref="Count"/> long.</param>
    public static void Read(BodyFacts body, Span<double> numbers)
    {
        var shape = body.Sketch?.Shape ?? default;
        double bytes = Math.Max(1, shape.ReadBytes);
        numbers[TextBytes] = Math.Log(1.0 + shape.Bytes);
        numbers[1] = Math.Log(1.0 + body.PromptBytes);
        numbers[2] = Math.Log(1.0 + shape.Lines);
        numbers[3] = Math.Log(1.0 + shape.QuestionMarks);
        numbers[4] = shape.Digits / bytes;
        numbers[5] = shape.Capitals / bytes;
        numbers[6] = Math.Log(1.0 + shape.Fences);
        numbers[7] = shape.WideRunes / bytes;
        numbers[8] = shape.Words / bytes;
        numbers[9] = Math.Log(1.0 + body.Messages);
        numbers[10] = shape.LastByte == '?' ? 1 : 0;
        numbers[11] = shape.LastByte == ':' ? 1 : 0;
        numbers[12] = shape.LastByte == '.' ? 1 : 0;
        numbers[13] = Math.Log(1.0 + shape.Digits);
        numbers[14] = Math.Log(1.0 + shape.Words);
        numbers[15] = Math.Log(1.0 + (body.Sketch?.Terms.Length ?? 0));
        numbers[16] = Asked(shape, RequestedUnit.Words);
        numbers[17] = Asked(shape, RequestedUnit.Sentences);
        numbers[18] = Asked(shape, RequestedUnit.Paragraphs);
        numbers[19] = Asked(shape, RequestedUnit.Items);
        numbers[20] = Math.Log(1.0 + (body.MaxOutputTokens ?? 0));
        numbers[21] = Math.Log(1.0 + (body.ReasoningBudgetTokens ?? 0));
        numbers[22] = Math.Log(body.Choices);
        numbers[23] = Math.Log(1.0 + body.StopSequences);
        numbers[24] = Math.Log(1.0 + body.MediaParts);
        numbers[25] = Math.Log(1.0 + body.MinOutputTokens);
    }

    private static double Asked(in TextShape shape, RequestedUnit unit) => shape.Unit == unit ? Math.Log(1.0 + shape.RequestedUnits) : 0;
}
