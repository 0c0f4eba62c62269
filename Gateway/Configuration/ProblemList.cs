namespace Gateway.Configuration;

/// <summary>Collects problems while a file is read, up to a limit. One per load; not thread-safe.</summary>
internal sealed class ProblemList
{
    /// <summary>A file with more mistakes than this is a file of another kind.</summary>
    internal const int MaxProblems = 100;

    private readonly List<ConfigurationProblem> _problems = [];
    private readonly List<ConfigurationProblem> _warnings = [];
    private int _unlisted;

    public bool IsEmpty => _problems.Count == 0;

    /// <summary>Further problems are only counted, so that no work should go into them.</summary>
    public bool IsFull => _problems.Count == MaxProblems;

    public void Add(SourceSpot where, string path, string what, string? suggestion = null)
    {
        if (_problems.Count == MaxProblems)
        {
            _unlisted++;
            return;
        }

        _problems.Add(new ConfigurationProblem(where, path, what, suggestion));
    }

    /// <summary>Warnings beyond the limit are left out.</summary>
    public void Warn(SourceSpot where, string path, string what)
    {
        if (_warnings.Count < MaxProblems)
        {
            _warnings.Add(new ConfigurationProblem(where, path, what, null));
        }
    }

    /// <summary>All warnings, by line and column.</summary>
    public IReadOnlyList<ConfigurationProblem> Warnings => [.. _warnings.OrderBy(warning => (warning.Where.Line, warning.Where.Column))];

    /// <summary>All problems: those of the file by line and column, then those of the environment, then how many were left out.</summary>
    public IReadOnlyList<ConfigurationProblem> InOrder(string fileName)
    {
        List<ConfigurationProblem> ordered =
        [
            .. _problems.OrderBy(problem => problem.Where.Line == 0).ThenBy(problem => problem.Where.Line).ThenBy(problem => problem.Where.Column),
        ];
        if (_unlisted > 0)
        {
            ordered.Add(new ConfigurationProblem(SourceSpot.Of(fileName), "", $"{_unlisted} more are not listed.", null));
        }

        return ordered;
    }
}
