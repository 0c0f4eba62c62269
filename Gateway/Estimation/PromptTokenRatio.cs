using System.Collections.Concurrent;
using Gateway.Requests;

namespace Gateway.Estimation;

/// <summary>Bytes of prompt text per token, learned per model from the engines' usage: a tokenizer without the tokenizer. Thread-safe.</summary>
public sealed class PromptTokenRatio
{
    // Half-life of the evidence, in tokens: short enough to follow a change of language within some hundred prompts.
    private const double MemoryTokens = 200_000;
    private const double PriorTokens = 500;

    // Engines and resolutions differ from 85 to several thousand; a guess that the next usage corrects.
    private const int TokensPerMediaPart = 768;

    private const double LeastBytesPerToken = 0.25;
    private const double MostBytesPerToken = 64;

    private readonly ConcurrentDictionary<string, Evidence> _models = new(StringComparer.Ordinal);

    /// <summary>Bytes per token as known for a model.</summary>
    /// <param name="model">The pool's name.</param>
    /// <param name="initialBytesPerToken">The value to start from.</param>
    public double BytesPerToken(string model, double initialBytesPerToken) =>
        _models.TryGetValue(model, out var evidence) ? evidence.BytesPerToken : initialBytesPerToken;

    /// <summary>Expected tokens of a prompt, and the fewest it can plausibly have.</summary>
    public (int Expected, int Least) Tokens(BodyFacts body, string model, double initialBytesPerToken)
    {
        var ratio = BytesPerToken(model, initialBytesPerToken);
        var text = body.PromptBytes / ratio;
        // No prose or code reaches twice the learned density: below this bound a refusal for length would be a guess.
        var least = body.PromptTokenIds + (int)(text / 2);
        var expected = body.PromptTokenIds + (long)Math.Ceiling(text) + ((long)body.MediaParts * TokensPerMediaPart);
        return ((int)Math.Min(int.MaxValue / 2, expected), least);
    }

    /// <summary>Takes the lesson of an engine's count of prompt tokens.</summary>
    public void Learn(BodyFacts body, string model, double initialBytesPerToken, int promptTokens)
    {
        // Prompts whose bytes are not all in the body teach nothing: media, token ids, and conversations continued from a stored response, which the engine counts whole.
        if (promptTokens <= 0 || body.PromptBytes <= 0 || body.MediaParts > 0 || body.PromptTokenIds > 0 || body.PreviousResponseKey != 0)
        {
            return;
        }
        _models.GetOrAdd(model, _ => new Evidence(initialBytesPerToken)).Add(body.PromptBytes, promptTokens);
    }

    private sealed class Evidence(double initialBytesPerToken)
    {
        private readonly Lock _gate = new();
        private double _bytes = PriorTokens * initialBytesPerToken;
        private double _tokens = PriorTokens;
        private double _ratio = initialBytesPerToken;

        public double BytesPerToken => Volatile.Read(ref _ratio);

        // Impossible counts are clamped to the nearest possible ratio: unclamped, one of them would distort thousands of prompts.
        public void Add(double bytes, double tokens)
        {
            tokens = Math.Min(tokens, bytes / LeastBytesPerToken);
            bytes = Math.Min(bytes, tokens * MostBytesPerToken);
            lock (_gate)
            {
                var keep = Math.Pow(0.5, tokens / MemoryTokens);
                _bytes = (_bytes * keep) + bytes;
                _tokens = (_tokens * keep) + tokens;
                Volatile.Write(ref _ratio, Math.Clamp(_bytes / _tokens, LeastBytesPerToken, MostBytesPerToken));
            }
        }
    }
}
