namespace Gateway.Replay.Traces.Generators;

/// <summary>The generators by name.</summary>
internal static class WorkloadTable
{
    private static readonly (string Name, Func<WorkloadSpec, IWorkload> Create)[] Known =
    [
        ("poisson", Independent(new(1))),
        ("gamma", Independent(new(1, Variation: 4))),
        ("uniform", Independent(new(1, Variation: 0))),
        ("heavytail", Independent(new(1, Output: "heavytail"))),
        ("sessions", words => new SessionWorkload(words)),
        ("siblings", words => new SiblingWorkload(words)),
        ("w1", Independent(new(5.5))),
        ("w2", Independent(new(0.9, Input: "sharegpt(0.25)", Output: "classes(8)"))),
        ("w3", Independent(new(5, Variation: 4))),
        ("w4", Independent(new(12))),
        ("w5", Independent(new(22))),
        ("w6", words => new GroupWorkload(words)),
        ("w8", Independent(new(5, Clients: 27, Flood: 10))),
        ("w9", Independent(new(5.5, InteractiveShare: 0.5))),
    ];

    public static IEnumerable<string> Names => Known.Select(entry => entry.Name);

    public static bool Has(string name) => Names.Contains(name);

    /// <exception cref="TraceException">Unknown or wrong parameters.</exception>
    public static IWorkload Create(WorkloadSpec words)
    {
        var workload = Known.First(entry => entry.Name == words.Name).Create(words);
        words.RefuseUnknown();
        return workload;
    }

    private static Func<WorkloadSpec, IWorkload> Independent(IndependentDefaults defaults) => words => new IndependentWorkload(words, defaults);
}
