using Gateway.Configuration;
using Gateway.Replay.Traces;
using Gateway.Replay.Traces.Generators;

namespace Gateway.Replay.Matrix;

/// <summary>From the text of a matrix file to what is to be run, or to every mistake in it with its place. Whether traces and profiles exist is seen when they are opened.</summary>
public static class MatrixReader
{
    private const double MostLoad = 10;
    private const int MostReplicas = 4_096;

    /// <summary>Reads one file. Nothing in the text makes this throw.</summary>
    /// <param name="text">YAML.</param>
    /// <param name="fileName">As the user named it; used in messages only.</param>
    public static LoadResult<MatrixFile> Read(string text, string fileName)
    {
        var problems = new ProblemList();
        var tree = YamlTree.Read(text.TrimStart('\uFEFF'), fileName, problems);
        if (tree is null)
        {
            if (problems.IsEmpty)
            {
                problems.Add(SourceSpot.Of(fileName), "", "The file is empty; a matrix needs baselines and workloads.");
            }
            return new LoadResult<MatrixFile>(null, problems.InOrder(fileName));
        }
        var binder = new OptionsBinder(problems);
        var file = (MatrixFile)binder.BindSection(typeof(MatrixFile), tree, "", "");
        new Rules(binder.Written, problems).Check(file);
        return new LoadResult<MatrixFile>(problems.IsEmpty ? file : null, problems.InOrder(fileName));
    }

    private sealed class Rules(IReadOnlyDictionary<string, SourceSpot> written, ProblemList problems)
    {
        public void Check(MatrixFile file)
        {
            Require(file.Baselines.Count > 0, "baselines", "at least one is needed.");
            Require(file.Workloads.Count > 0, "workloads", "at least one is needed.");
            Require(file.Loads.Count > 0 && file.Loads.All(load => load is > 0 and <= MostLoad), "loads", "shares of the capacity, above 0 up to 10, at least one.");
            Require(file.Replicas.Count > 0 && file.Replicas.All(count => count is >= 1 and <= MostReplicas), "replicas", "numbers from 1 to 4096, at least one.");
            CheckPolicy(file.Reference, "reference");
            CheckPolicy(file.CapacityBy, "capacityBy");
            for (var i = 0; i < file.Baselines.Count; i++)
            {
                CheckPolicy(file.Baselines[i], $"baselines[{i}]");
            }
            for (var i = 0; i < file.Workloads.Count; i++)
            {
                CheckArrivals(file.Workloads[i].Arrivals, $"workloads[{i}].arrivals");
            }
        }

        private void CheckPolicy(string text, string path) => Require(ReplayPolicy.Parse(text, out var problem) is not null, path, problem ?? "");

        private void CheckArrivals(string text, string path)
        {
            try
            {
                _ = ArrivalProcess.Parse(text);
            }
            catch (TraceException wrong)
            {
                Require(false, path, wrong.Message);
            }
        }

        private void Require(bool isRight, string path, string what)
        {
            if (!isRight)
            {
                problems.Add(written.TryGetValue(path, out var where) ? where : written[""], path, what);
            }
        }
    }
}
