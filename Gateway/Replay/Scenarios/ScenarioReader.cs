using Gateway.Configuration;
using Gateway.Replay.Traces;
using Gateway.Replay.Traces.Generators;
using Gateway.Simulation;

namespace Gateway.Replay.Scenarios;

/// <summary>From the text of a scenario file to its experiments, or to every mistake in it with its place.</summary>
public static class ScenarioReader
{
    /// <summary>Fewer pairs prove no sign.</summary>
    public const int FewestSeeds = 5;

    private const int MostSeeds = 100;

    /// <summary>Reads one file. Nothing in the text makes this throw.</summary>
    /// <param name="text">YAML.</param>
    /// <param name="fileName">As the user named it; used in messages only.</param>
    /// <param name="data">Where data files are; one that is absent is no mistake.</param>
    public static LoadResult<ScenarioFile> Read(string text, string fileName, DataFiles data)
    {
        var problems = new ProblemList();
        var tree = YamlTree.Read(text.TrimStart('\uFEFF'), fileName, problems);
        if (tree is null && problems.IsEmpty)
        {
            problems.Add(SourceSpot.Of(fileName), "", "The file is empty; a scenario needs system, source and experiments.");
        }
        if (tree is null)
        {
            return new LoadResult<ScenarioFile>(null, problems.InOrder(fileName));
        }
        var binder = new OptionsBinder(problems);
        var file = (ScenarioFile)binder.BindSection(typeof(ScenarioFile), tree, "", "");
        new Rules(binder.Written, problems, data).Check(file);
        return new LoadResult<ScenarioFile>(problems.IsEmpty ? file : null, problems.InOrder(fileName));
    }

    /// <summary>What the types cannot say. A setting that is absent was already told.</summary>
    private sealed class Rules(IReadOnlyDictionary<string, SourceSpot> written, ProblemList problems, DataFiles data)
    {
        public void Check(ScenarioFile file)
        {
            RequireItems("experiments", file.Experiments.Count);
            for (var i = 0; i < file.Experiments.Count; i++)
            {
                Check(file.Experiments[i], $"experiments[{i}]");
            }
        }

        private void Check(ScenarioExperiment experiment, string path)
        {
            CheckWorkload(experiment.Workload, path + ".workload");
            if (experiment.Requests is not null && WorkloadTable.Has(experiment.Workload.Split(':')[0]))
            {
                Add(path + ".requests", "a generator has this among its own words, such as w1:rate=5,requests=3000.");
            }
            CheckPolicy(experiment.Baseline, path + ".baseline");
            CheckPolicy(experiment.Policy, path + ".policy");
            CheckPolicy(experiment.Best ?? "", path + ".best");
            if (EngineProfiles.Find(experiment.Fleet.Profile) is null)
            {
                Unknown(path + ".fleet.profile", "profile", experiment.Fleet.Profile, EngineProfiles.Names);
            }
            if (experiment.Fleet.Speeds.Any(speed => !(speed is > 0 and <= 1_000)))
            {
                Add(path + ".fleet.speeds", "a speed is a number above 0, up to 1000.");
            }
            if (experiment.Seeds.Distinct().Count() is < FewestSeeds or > MostSeeds)
            {
                Add(path + ".seeds", $"{FewestSeeds} to {MostSeeds} different seeds are needed: one pair of runs proves no sign.");
            }
            RequireItems(path + ".claims", experiment.Claims.Count);
            if (experiment.Flood is { } flood && flood.With.Append(flood.Client).Distinct(StringComparer.Ordinal).Count() <= flood.With.Count)
            {
                Add(path + ".flood.with", "names a client twice: each floods once.");
            }
            for (var i = 0; i < experiment.Claims.Count; i++)
            {
                var metric = experiment.Claims[i].Metric;
                if (experiment.Claims[i] is { Expect: ClaimDirection.Recovers } recovers && (recovers.Share is null || experiment.Best is null))
                {
                    Add($"{path}.claims[{i}].expect", "needs the share that is recovered, such as share: 0.65, and the experiment's best policy.");
                }
                if (experiment.Claims[i] is { Expect: ClaimDirection.Within, Most: null })
                {
                    Add($"{path}.claims[{i}].expect", "needs the largest ratio to the baseline, such as most: 1.5.");
                }
                if (!ScenarioMetrics.Names.Contains(metric))
                {
                    Unknown($"{path}.claims[{i}].metric", "metric", metric, ScenarioMetrics.Names);
                }
            }
        }

        private void CheckWorkload(string spec, string path)
        {
            try
            {
                if (spec.Length > 0 && data.MissingFor(spec) is null)
                {
                    TraceSource.Open(data.Resolve(spec), new TraceSettings());
                }
            }
            catch (TraceException wrong)
            {
                Add(path, wrong.Message);
            }
        }

        private void CheckPolicy(string text, string path)
        {
            if (text.Length > 0 && ReplayPolicy.Parse(text, out var problem) is null)
            {
                Add(path, problem!);
            }
        }

        private void RequireItems(string path, int count)
        {
            if (count == 0 && written.ContainsKey(path))
            {
                Add(path, "at least one is needed.");
            }
        }

        private void Unknown(string path, string noun, string name, IEnumerable<string> known) =>
            Add(path, $"no {noun} is called \"{SettingText.Shown(name)}\". Known: {string.Join(", ", known)}.", NearestWord.To(name, known));

        private void Add(string path, string what, string? suggestion = null)
        {
            if (written.TryGetValue(path, out var where))
            {
                problems.Add(where, path, what, suggestion);
            }
        }
    }
}
