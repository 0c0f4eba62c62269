using System.Globalization;

namespace Gateway.Replay;

/// <content>How long a session keeps its replica, and a request waits for another that computes the same beginning of a prompt.</content>
public sealed partial record ReplayPolicy
{
    /// <summary>What follows the routing <c>sticky:30</c>, in seconds: how long a session keeps its replica, whatever its tools take. Null: the default.</summary>
    public TimeSpan? SessionTtl { get; init; }

    /// <summary>What follows the admission, as in <c>past_future+siblings:0</c>, in seconds. Null: the default.</summary>
    public TimeSpan? SiblingWait { get; init; }
}

/// <summary>The third part of a policy, such as <c>past_future:0.95+siblings:2</c>.</summary>
/// <param name="Admission">Name of the rule, with its number where it has one.</param>
/// <param name="Wait">Longest wait for a sibling; null: the default.</param>
/// <param name="Problem">What is wrong; null when nothing.</param>
internal sealed record AdmissionWords(string Admission, TimeSpan? Wait, string? Problem)
{
    private const string Siblings = "+siblings:";
    private const double MostSeconds = 600;

    /// <summary>Takes the words apart. Whether the rule exists is not looked at.</summary>
    public static AdmissionWords Of(string text)
    {
        var at = text.IndexOf(Siblings, StringComparison.Ordinal);
        if (at < 0)
        {
            return new AdmissionWords(text, null, null);
        }
        var number = text[(at + Siblings.Length)..];
        return double.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var seconds) && seconds <= MostSeconds
            ? new AdmissionWords(text[..at], TimeSpan.FromSeconds(seconds), null)
            : new AdmissionWords(text[..at], null, $"'{text[(at + 1)..]}': the wait for a sibling is a number of seconds from 0 to {MostSeconds:0}, such as siblings:2.");
    }
}
