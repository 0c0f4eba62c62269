using System.CommandLine;
using System.Globalization;
using Gateway.Replay.Traces;

namespace Gateway.Cli.Live;

/// <summary>The options of <c>replay</c> that concern a real endpoint.</summary>
internal static class LiveOptions
{
    private static readonly Option<string?> Url = new("--live") { Description = "Sends the workload to a real OpenAI endpoint at its own times, instead of simulating; with --policies, simulates beside it. Its figures are of the wall clock: no two runs agree.", HelpName = "URL" };
    private static readonly Option<string?> Model = new("--live-model") { Description = "Model to ask the endpoint for; the first that it lists by default.", HelpName = "NAME" };
    private static readonly Option<string?> Key = new("--live-key") { Description = "Environment variable that holds the endpoint's key.", HelpName = "ENV" };
    private static readonly Option<bool> Plain = new("--live-plain") { Description = "Leave out ignore_eos and min_tokens, which some endpoints refuse." };
    private static readonly Option<int> Timeout = new("--live-timeout") { Description = "Seconds that an answer may take.", DefaultValueFactory = _ => 600 };
    private static readonly Option<int> MostOpen = new("--live-max-open") { Description = "Requests open at once, at most; one beyond is not sent and counts as failed.", DefaultValueFactory = _ => 4_096 };

    /// <summary>All of them.</summary>
    public static IReadOnlyList<Option> All { get; } = [Url, Model, Key, Plain, Timeout, MostOpen];

    /// <summary>The endpoint named on the command line; null: none.</summary>
    /// <exception cref="TraceException">Wrong usage; says what is allowed.</exception>
    public static LiveTarget? TargetOf(ParseResult arguments, int seed)
    {
        if (arguments.GetValue(Url) is not { } url)
        {
            return All.FirstOrDefault(option => arguments.GetResult(option) is { Implicit: false }) is { } lonely
                ? throw new TraceException($"{lonely.Name}: has a meaning only with --live URL.")
                : null;
        }
        return new LiveTarget
        {
            Root = RootOf(url),
            Model = arguments.GetValue(Model),
            Key = arguments.GetValue(Key) is { } name ? KeyIn(name) : null,
            IsPlain = arguments.GetValue(Plain),
            Patience = TimeSpan.FromSeconds(Within(arguments.GetValue(Timeout), 86_400, Timeout.Name)),
            MostOpen = Within(arguments.GetValue(MostOpen), 60_000, MostOpen.Name),
            Seed = seed,
        };
    }

    // With or without /v1 at its end, as people have it at hand.
    private static Uri RootOf(string url)
    {
        if (!Uri.TryCreate(url, UriKind.Absolute, out var parsed) || parsed.Scheme is not ("http" or "https")
            || parsed.UserInfo.Length > 0 || parsed.Query.Length > 0 || parsed.Fragment.Length > 0)
        {
            throw new TraceException("--live: the URL must be like http://127.0.0.1:8000, without a query or a password in it (a key goes by --live-key).");
        }
        var path = parsed.AbsolutePath.TrimEnd('/');
        return new Uri(parsed, path.EndsWith("/v1", StringComparison.Ordinal) ? path + "/" : path + "/v1/");
    }

    private static string KeyIn(string name)
    {
        var key = Environment.GetEnvironmentVariable(name)?.Trim();
        return key is { Length: > 0 } && key.All(c => c is > ' ' and < '\x7f')
            ? key
            : throw new TraceException($"--live-key: the environment variable \"{name}\" {(string.IsNullOrEmpty(key) ? "is not set" : "holds no key: a key has no spaces and only ASCII")}.");
    }

    private static int Within(int value, int most, string option) => value >= 1 && value <= most
        ? value
        : throw new TraceException(string.Create(CultureInfo.InvariantCulture, $"{option}: \"{value}\" is not a number from 1 to {most}."));
}
