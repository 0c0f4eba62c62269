using System.Globalization;
using System.Text;

namespace Gateway.Configuration;

/// <summary>Problems as text: one line each, the messages under each other, and a closing line.</summary>
public static class ProblemReport
{
    /// <summary>Writes <c>file:line:column  path: message.</c> per problem, then <c>3 problems.</c> and a closing sentence that says what they led to;
    /// no line break at the end.</summary>
    public static string Format(IReadOnlyList<ConfigurationProblem> problems, string closing, string noun = "problem")
    {
        var width = problems.Count == 0 ? 0 : problems.Max(problem => problem.Where.ToString().Length);
        var text = new StringBuilder();
        foreach (var problem in problems)
        {
            text.Append(problem.Where.ToString().PadRight(width)).Append("  ").Append(problem).Append('\n');
        }

        var count = problems.Count == 1 ? $"1 {noun}." : string.Create(CultureInfo.InvariantCulture, $"{problems.Count} {noun}s.");
        return text.Append(count).Append(' ').Append(closing).ToString();
    }
}
