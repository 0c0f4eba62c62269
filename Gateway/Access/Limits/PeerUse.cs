using System.Text.Json;
using System.Text.Json.Serialization;

namespace Gateway.Access.Limits;

/// <summary>What a gateway has taken of a tenant's limits since it started, and holds now: sums, so that a lost message is mended by the next.</summary>
public sealed record LimitUse
{
    /// <summary>Grows with every message of this gateway about the tenant: of two that arrive in the wrong order, the higher one is the newer.</summary>
    public long Sequence { get; init; }

    /// <summary>What it has taken.</summary>
    public TakenSums Taken { get; init; }

    /// <summary>Tokens reserved by requests that have not ended.</summary>
    public long ReservedTokens { get; init; }

    /// <summary>Tokens charged on <see cref="Day"/>.</summary>
    public long SpentTokens { get; init; }

    /// <summary>Of UTC, as a day number.</summary>
    public int Day { get; init; }

    /// <summary>Requests that hold a place.</summary>
    public int Running { get; init; }

    /// <summary>How full it believes the buckets to be, after all that it has taken and counted.</summary>
    public BucketLevels Levels { get; init; }

    /// <summary>How much of each other gateway's takings these levels have counted, by its name.</summary>
    public IReadOnlyDictionary<string, TakenSums> Counted { get; init; } = new Dictionary<string, TakenSums>();

    /// <summary>As JSON.</summary>
    public byte[] Write() => JsonSerializer.SerializeToUtf8Bytes(this, LimitUseJson.Default.LimitUse);
}

/// <summary>Sums of what was taken: requests, and tokens in and out.</summary>
public readonly record struct TakenSums(long Requests, long InputTokens, long OutputTokens);

/// <summary>How full the buckets of a tenant are. Null: nothing limits this.</summary>
public readonly record struct BucketLevels(double? Requests, double? Tokens, double? InputTokens, double? OutputTokens);

/// <summary>What another gateway has taken of a tenant's limits.</summary>
/// <param name="Gateway">Which.</param>
/// <param name="Age">Since it said so.</param>
/// <param name="IsAlive">Whether what it holds still counts; what it took does in any case.</param>
/// <param name="Use">As it said.</param>
public readonly record struct PeerUse(string Gateway, TimeSpan Age, bool IsAlive, LimitUse Use)
{
    private const int MostRunning = 1_000_000;
    private const long Most = 1_000_000_000_000_000;

    // The time to pay off such a debt still fits a TimeSpan at the smallest limit, one a minute.
    private const long MostDebt = 1_000_000_000;

    /// <summary>Null: not written by this version.</summary>
    public static PeerUse? Read(string gateway, TimeSpan age, bool isAlive, byte[] content)
    {
        try
        {
            return JsonSerializer.Deserialize(content, LimitUseJson.Default.LimitUse) is { Counted: not null } use && IsSane(use)
                ? new PeerUse(gateway, age, isAlive, use)
                : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static bool IsSane(LimitUse use) =>
        use is { Running: >= 0 and <= MostRunning, ReservedTokens: >= 0 and <= Most, SpentTokens: >= 0 and <= Most }
        && IsSane(use.Taken) && use.Counted.Values.All(IsSane)
        && new[] { use.Levels.Requests, use.Levels.Tokens, use.Levels.InputTokens, use.Levels.OutputTokens }.All(level => level is null or (>= -MostDebt and <= Most));

    private static bool IsSane(TakenSums taken) => taken is { Requests: >= 0 and <= Most, InputTokens: >= 0 and <= Most, OutputTokens: >= 0 and <= Most };
}

/// <summary>What the others had said when this gateway asked.</summary>
/// <param name="Gateway">This gateway, as the others name it.</param>
/// <param name="Asked">The <see cref="LimitUse.Sequence"/> of what it said itself when it asked.</param>
/// <param name="Peers">All that were heard.</param>
public readonly record struct PeerReport(string Gateway, long Asked, IReadOnlyList<PeerUse> Peers);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault)]
[JsonSerializable(typeof(LimitUse))]
internal sealed partial class LimitUseJson : JsonSerializerContext;
