using System.Net;

namespace Gateway.Simulation.Serving;

/// <summary>What a simulated engine is. Fixed once it runs, except for its faults, which can be swapped on the engine.</summary>
public sealed record SimulatedEngineOptions
{
    public IPAddress Host { get; init; } = IPAddress.Loopback;

    /// <summary>0 takes a free port; read it from <see cref="SimulatedEngine.Uri"/>.</summary>
    public int Port { get; init; }

    public EngineProfile Profile { get; init; } = EngineProfiles.Demo;

    /// <summary>Served names, at least one; the first is the label of the metrics.</summary>
    public IReadOnlyList<string> Models { get; init; } = ["demo"];

    /// <summary>Decides every answer's text and length, together with the prompt; and the draws of <see cref="EngineFaults.FailRate"/>.</summary>
    public int Seed { get; init; }

    /// <summary>How many times faster than the profile's hardware; above 0.</summary>
    public double Speed { get; init; } = 1;

    public SchedulingPolicy SchedulingPolicy { get; init; }

    /// <summary>Context window in tokens; null: the profile's. Never more than the KV room.</summary>
    public int? MaxModelTokens { get; init; }

    /// <summary>KV blocks; null: the profile's.</summary>
    public int? KvBlocks { get; init; }

    /// <summary>Most sequences in one step; null: the profile's.</summary>
    public int? MaxSequences { get; init; }

    /// <summary>Whether it keeps the beginnings of prompts; null: as the profile does.</summary>
    public bool? CachesPrefixes { get; init; }

    /// <summary>Whether an answer's usage says how much of the prompt was cached, as with <c>--enable-prompt-tokens-details</c>.</summary>
    public bool TellsCachedTokens { get; init; } = true;

    /// <summary>Key that <c>/v1</c> asks for as a bearer token; null: none.</summary>
    public string? ApiKey { get; init; }

    public EngineFaults Faults { get; init; } = EngineFaults.None;

    /// <summary>How many of the latest data requests are kept with headers and body, for tests; 0: none.</summary>
    public int RecordedRequests { get; init; }

    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>The profile with the options' own limits in it.</summary>
    internal EngineProfile EffectiveProfile()
    {
        var profile = Profile with { KvBlocks = KvBlocks ?? Profile.KvBlocks, MaxSequences = MaxSequences ?? Profile.MaxSequences, CachesPrefixes = CachesPrefixes ?? Profile.CachesPrefixes };
        return profile with { MaxModelTokens = (int)Math.Min(MaxModelTokens ?? Profile.MaxModelTokens, profile.KvTokens) };
    }
}
