using System.Globalization;

namespace Gateway.Replay.Traces.Generators;

/// <summary>Tools that answers call, and how long each takes: <c>tools=0.2+2+60</c> are three, drawn evenly, of which a call takes so many seconds, more or less by up to half.</summary>
internal sealed class ToolPauses
{
    private const double MostSeconds = 3_600;

    private readonly double[] _seconds;

    /// <exception cref="TraceException">The parameter tools is no list of seconds.</exception>
    public ToolPauses(WorkloadSpec words)
    {
        var text = words.Text("tools", "");
        var parts = text.Length == 0 ? [] : text.Split('+');
        _seconds = new double[parts.Length];
        for (var i = 0; i < parts.Length; i++)
        {
            if (!double.TryParse(parts[i], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out _seconds[i]) || _seconds[i] > MostSeconds)
            {
                throw new TraceException($"{words.Name}: tools={text} is not allowed. Allowed: seconds from 0 to {MostSeconds:0} with + between, such as 0.2+2+60.");
            }
        }
    }

    /// <summary>A tool and how long a call of it takes; null: the workload has no tools.</summary>
    public (string Name, TimeSpan Pause)? Draw(Random chance)
    {
        if (_seconds.Length == 0)
        {
            return null;
        }
        var tool = chance.Next(_seconds.Length);
        return (string.Create(CultureInfo.InvariantCulture, $"tool{tool}"), TimeSpan.FromSeconds(_seconds[tool] * (0.5 + chance.NextDouble())));
    }
}
