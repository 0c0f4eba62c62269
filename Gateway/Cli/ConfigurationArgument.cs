using System.CommandLine;

namespace Gateway.Cli;

/// <summary>The configuration file as the first word behind a verb, for those who leave <c>--config</c> out.</summary>
internal static class ConfigurationArgument
{
    /// <summary>Adds the argument to a verb that has the option, and refuses both at once.</summary>
    /// <returns>The file that a command line names.</returns>
    public static Func<ParseResult, string> AddTo(Command verb, Option<string> config)
    {
        var file = new Argument<string?>("FILE") { Description = "The same, without --config.", Arity = ArgumentArity.ZeroOrOne };
        verb.Add(file);
        verb.Validators.Add(result =>
        {
            if (result.GetResult(file) is { Tokens.Count: > 0 } && result.GetResult(config) is { Implicit: false })
            {
                result.AddError($"Name the file once: {verb.Name} FILE, or {verb.Name} --config FILE.");
            }
        });
        return parsed => parsed.GetValue(file) ?? parsed.GetRequiredValue(config);
    }
}
