using Gateway.Simulation;

namespace Gateway.Replay.Estimates;

/// <summary>Divides rows between training and test by their prompt alone, so that no prompt is on both sides.</summary>
/// <param name="seed">Another seed divides otherwise.</param>
public sealed class PromptSplit(int seed)
{
    /// <summary>Share of the prompts that train.</summary>
    public const double TrainingShare = 0.6;

    /// <summary>The same for equal prompts, in any file and any run.</summary>
    public bool IsTraining(ulong promptKey)
    {
        var mixed = Hashing.Mix(promptKey ^ Hashing.Mix((ulong)seed + 1));
        return (mixed >> 11) * (1.0 / (1UL << 53)) < TrainingShare;
    }
}
