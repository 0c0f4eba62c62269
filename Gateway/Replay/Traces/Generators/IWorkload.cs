namespace Gateway.Replay.Traces.Generators;

/// <summary>Requests that are drawn, not recorded. Immutable: may be generated several times, also at once.</summary>
internal interface IWorkload
{
    /// <summary>The requests in the order of their arrival; the same for the same seed.</summary>
    IEnumerable<TraceRequest> Generate(int seed);
}
