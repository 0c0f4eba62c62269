using System.CommandLine;
using System.CommandLine.Parsing;
using Gateway.Configuration;

namespace Gateway.Cli;

/// <summary>Bounds of options, told as the command line is read.</summary>
internal static class OptionRules
{
    /// <summary>Refuses a value that is out of bounds, or no value of the option's type at all.</summary>
    /// <param name="option">The option; its default is not looked at.</param>
    /// <param name="isValid">Whether a value is within bounds.</param>
    /// <param name="what">What is allowed, as it follows "is not".</param>
    public static void Require<T>(this Option<T> option, Func<T?, bool> isValid, string what) => option.Validators.Add(result =>
    {
        if (!result.Errors.Any() && result.Tokens.Count > 0 && !IsValid(result, option, isValid))
        {
            result.AddError($"{option.Name}: \"{SettingText.Shown(result.Tokens[0].Value)}\" is not {what}.");
        }
    });

    // The library throws when it is asked for a value that it could not parse, and it runs this before it has reported the word itself.
    private static bool IsValid<T>(OptionResult result, Option<T> option, Func<T?, bool> isValid)
    {
        try
        {
            return isValid(result.GetValue(option));
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }
}
