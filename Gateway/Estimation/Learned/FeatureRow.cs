using System.Numerics;
using Gateway.Requests;
using Gateway.Requests.Sketching;

namespace Gateway.Estimation.Learned;

/// <summary>One request as hashed features with their values. Used by one thread, over and over.</summary>
internal sealed class FeatureRow
{
    /// <summary>Features are told apart by this many bits of their hash.</summary>
    public const int Bits = 20;

    private const int MaxOpening = 16;
    private const int Others = 128;
    private const uint Slope = 409;

    // Values by which each kind of feature enters; the words together have the given length.
    private const float OfWords = 1.3f;
    private const float OfSlope = 0.3f;
    private const float OfNumber = 0.1f;
    private const float OfStep = 0.08f;
    private const float OfBias = 0.16f;

    [ThreadStatic]
    private static FeatureRow? _ofThread;

    private readonly uint[] _buckets = new uint[TextSketch.MaxTerms + (2 * MaxOpening) + Others];
    private readonly float[] _values = new float[TextSketch.MaxTerms + (2 * MaxOpening) + Others];
    private readonly double[] _numbers = new double[FeatureNumbers.Count];
    private int _count;

    /// <summary>The row of this thread: filled, read and then free again.</summary>
    public static FeatureRow OfThread => _ofThread ??= new FeatureRow();

    public ReadOnlySpan<uint> Buckets => _buckets.AsSpan(0, _count);

    public ReadOnlySpan<float> Values => _values.AsSpan(0, _count);

    public ReadOnlySpan<double> Numbers => _numbers;

    /// <summary>The words of the request that fills it; null: none.</summary>
    public TextSketch? Sketch { get; private set; }

    /// <summary>What the client itself expects; null: no hint.</summary>
    public int? HintTokens { get; private set; }

    /// <summary>Describes a request as seen under its key.</summary>
    public void Fill(InferenceRequest request, LengthKey key, LengthKey everybody)
    {
        _count = 0;
        Sketch = request.Body.Sketch;
        HintTokens = request.Body.ExpectedOutputTokensHint;
        FeatureNumbers.Read(request.Body, _numbers);
        var ofKey = (uint)key.Id;
        AddKeys(request.Body, key);
        AddNumbers(key, everybody, ofKey);
        AddSteps(request.Body, ofKey);
        AddTerms(key, ofKey);
    }

    private void AddKeys(BodyFacts body, LengthKey key)
    {
        Add(1, OfBias);
        for (var at = key; at is not null; at = at.Parent)
        {
            Add(Hash.Join(2, (uint)at.Id), OfBias);
        }
        var kind = (body.HasTools ? 1u : 0) | (body.ForcesTool ? 2u : 0) | (body.HasStructuredOutput ? 4u : 0) | (body.AsksForReasoning ? 8u : 0)
            | (body.IsStreaming ? 16u : 0) | ((uint)body.LastRole << 5);
        Add(Hash.Join(3, kind), OfBias);
    }

    private void AddNumbers(LengthKey key, LengthKey everybody, uint ofKey)
    {
        for (var i = 0u; i < FeatureNumbers.Count; i++)
        {
            var wide = (float)everybody.Numbers.Standard((int)i, _numbers[i]) * OfNumber;
            var near = (float)key.Numbers.Standard((int)i, _numbers[i]) * OfNumber;
            if (wide != 0)
            {
                Add(100 + i, wide);
            }
            if (near != 0)
            {
                Add(200 + i, near);
                Add(Hash.Join(200 + i, ofKey), near);
            }
        }
        foreach (var i in FeatureNumbers.Stepped)
        {
            Both(Hash.Join(300 + (uint)i, (uint)(int)Math.Round((2 * key.Numbers.Standard(i, _numbers[i])) + 10)), ofKey);
        }
    }

    private void AddSteps(BodyFacts body, uint ofKey)
    {
        var shape = Sketch?.Shape ?? default;
        Both(Hash.Join(400, HalfOctave(shape.Bytes)), ofKey);
        Both(Hash.Join(401, HalfOctave(body.PromptBytes)), ofKey);
        Both(Hash.Join(402, HalfOctave(shape.Lines)), ofKey);
        Both(Hash.Join(403, shape.LastByte), ofKey);
        Both(Hash.Join(404, ((uint)shape.Unit * 100) + HalfOctave(shape.RequestedUnits)), ofKey);
        Both(Hash.Join(405, ((uint)Math.Min(12, body.Messages) * 4) + (uint)body.LastRole), ofKey);
        Both(Hash.Join(406, (uint)Math.Min(4, shape.QuestionMarks)), ofKey);
        Both(Hash.Join(407, HalfOctave(shape.Digits)), ofKey);
        Both(Hash.Join(408, HalfOctave(body.MaxOutputTokens ?? 0)), ofKey);
    }

    private void AddTerms(LengthKey key, uint ofKey)
    {
        if (Sketch is not { } sketch)
        {
            return;
        }
        var first = _count;
        // The opening of a message says most. It is therefore also combined with the application, and with the length of the text: the answer to "rewrite this" grows
        // with the text, the answer to a question does not.
        var opening = sketch.Terms[..Math.Min(MaxOpening, sketch.Terms.Length)];
        var slope = (float)key.Numbers.Standard(FeatureNumbers.TextBytes, _numbers[FeatureNumbers.TextBytes]) * OfSlope;
        foreach (var term in opening)
        {
            var hash = TextSketch.HashOf(term);
            Add(Hash.Join(hash, ofKey), 1);
            Add(Hash.Join(hash, Slope), slope);
        }
        var squares = (float)opening.Length;
        foreach (var term in sketch.Terms)
        {
            var count = TextSketch.CountOf(term);
            var value = count == 1 ? 1 : 1 + MathF.Log(count);
            Add(TextSketch.HashOf(term), value);
            squares += value * value;
        }
        var scale = OfWords / MathF.Sqrt(Math.Max(1, squares));
        for (var i = first; i < _count; i++)
        {
            _values[i] *= scale;
        }
    }

    private void Both(uint hash, uint ofKey)
    {
        Add(hash, OfStep);
        Add(Hash.Join(hash, ofKey), OfStep);
    }

    private void Add(uint hash, float value)
    {
        _buckets[_count] = (hash * 2654435761u) >> (32 - Bits);
        _values[_count++] = value;
    }

    // Steps of half an octave, by the highest bit and the one below it.
    private static uint HalfOctave(int value)
    {
        var above = (uint)Math.Max(0, value) + 1;
        var octave = BitOperations.Log2(above);
        return (uint)((2 * octave) + (octave > 0 ? (int)((above >> (octave - 1)) & 1) : 0));
    }
}
