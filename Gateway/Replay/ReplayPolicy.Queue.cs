using System.Globalization;
using Gateway.Queueing;

namespace Gateway.Replay;

/// <content>Who goes first: an order, with fairness around it and a rescue behind it; and whom they may preempt.</content>
public sealed partial record ReplayPolicy
{
    /// <summary>How clients share the turns, where the order does not say so itself.</summary>
    public FairnessMode Fairness { get; init; }

    /// <summary>What follows a colon: the quantum of <c>dlpm:16384+boost</c>. Null: the default.</summary>
    public int? QuantumTokens { get; init; }

    /// <summary>What keeps requests from being passed for ever.</summary>
    public RescueMode Rescue { get; init; }

    /// <summary>Whether waiting requests take the place of less urgent ones.</summary>
    public PreemptMode Preempt { get; init; }

    /// <summary>What follows a colon: the share of <c>continue:0.8</c>. Null: the default.</summary>
    public double? PreemptLimit { get; init; }
}

/// <summary>The second part of a policy, such as <c>vtc+sjf+promotion</c> or <c>dlpm:4096+boost</c>.</summary>
/// <param name="Order">Name of the order, with its number where it has one.</param>
/// <param name="Fairness">How clients share the turns.</param>
/// <param name="Rescue">What keeps requests from being passed for ever.</param>
/// <param name="QuantumTokens">What follows the colon of the fairness; null: the default.</param>
/// <param name="Problem">What is wrong; null when nothing.</param>
internal sealed record QueueWords(string Order, FairnessMode Fairness, RescueMode Rescue, int? QuantumTokens, string? Problem)
{
    private const string Rescued = "+promotion";

    /// <summary>Takes the words apart. Whether the order exists is not looked at.</summary>
    public static QueueWords Of(string text)
    {
        var rescue = text.EndsWith(Rescued, StringComparison.Ordinal) ? RescueMode.Promotion : RescueMode.Own;
        var order = rescue == RescueMode.Promotion ? text[..^Rescued.Length] : text;
        var words = order.Split('+');
        if (words.Length > 2)
        {
            return new QueueWords(order, FairnessMode.Off, rescue, null, $"'{text}' has more than fairness+order+promotion.");
        }
        var (name, number) = words[0].Split(':') is [var before, var after] ? (before, after) : (words[0], null);
        if (words.Length == 1)
        {
            return new QueueWords(order, FairnessMode.Off, rescue, null, null);
        }
        FairnessMode? fairness = name switch { "vtc" => FairnessMode.Vtc, "dlpm" => FairnessMode.Dlpm, _ => null };
        int? quantum = int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var tokens) && tokens is >= 256 and <= 10_000_000 ? tokens : null;
        var problem = fairness is null ? $"No fairness is called '{name}'. Known: vtc, dlpm."
            : number is not null && quantum is null ? $"'{words[0]}': the quantum is a whole number of tokens from 256 to 10000000, such as dlpm:16384."
            : null;
        return new QueueWords(words[1], fairness ?? FairnessMode.Off, rescue, quantum, problem);
    }
}
