using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Gateway.Access.Limits;

/// <summary>What a gateway has taken of a tenant's limits since it started, and holds now: sums, so that a lost message is mended by the next.</summary>
[StructLayout(LayoutKind.Sequential)]
public readonly record struct LimitUse
{
    public long Requests { get; init; }

    public long InputTokens { get; init; }

    public long OutputTokens { get; init; }

    /// <summary>Tokens reserved by requests that have not ended.</summary>
    public long ReservedTokens { get; init; }

    /// <summary>Tokens charged on <see cref="Day"/>.</summary>
    public long SpentTokens { get; init; }

    /// <summary>Of UTC, as a day number.</summary>
    public int Day { get; init; }

    /// <summary>Requests that hold a place.</summary>
    public int Running { get; init; }

    /// <summary>Gateways whose use it has counted: where there is none, the levels tell its own use alone.</summary>
    public int Counted { get; init; }

    /// <summary>How full it believes the buckets to be.</summary>
    public double RequestsLevel { get; init; }

    public double TokensLevel { get; init; }

    public double InputLevel { get; init; }

    public double OutputLevel { get; init; }

    /// <summary>As bytes of one machine's order: gateways that share run on alike machines.</summary>
    public byte[] Write() => MemoryMarshal.AsBytes(new ReadOnlySpan<LimitUse>(in this)).ToArray();
}

/// <summary>What another gateway has taken of a tenant's limits.</summary>
/// <param name="Gateway">Which.</param>
/// <param name="Age">Since it said so.</param>
/// <param name="IsAlive">Whether what it holds still counts; what it took does in any case.</param>
/// <param name="Use">As it said.</param>
public readonly record struct PeerUse(string Gateway, TimeSpan Age, bool IsAlive, LimitUse Use)
{
    /// <summary>Null: not written by this version.</summary>
    public static PeerUse? Read(string gateway, TimeSpan age, bool isAlive, byte[] content) =>
        content.Length == Unsafe.SizeOf<LimitUse>() && MemoryMarshal.Read<LimitUse>(content) is var use && use is { Running: >= 0, ReservedTokens: >= 0, SpentTokens: >= 0 }
            && !double.IsNaN(use.RequestsLevel + use.TokensLevel + use.InputLevel + use.OutputLevel)
            ? new PeerUse(gateway, age, isAlive, use)
            : null;
}
