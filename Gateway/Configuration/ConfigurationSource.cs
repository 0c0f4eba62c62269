using System.Security.Cryptography;
using System.Text;

namespace Gateway.Configuration;

/// <summary>Where settings came from, so that a person can tell which are in force.</summary>
/// <param name="FileName">Without its folders.</param>
/// <param name="Sha256">Of the file's text as UTF-8, in lower hexadecimal digits.</param>
/// <param name="EnvironmentOverrides">Names of the variables laid over it, sorted.</param>
public sealed record ConfigurationSource(string FileName, string Sha256, IReadOnlyList<string> EnvironmentOverrides)
{
    internal static ConfigurationSource Of(string text, string fileName, IReadOnlyDictionary<string, string> environment) => new(
        Path.GetFileName(fileName), Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text))),
        [.. environment.Keys.Where(Configuration.EnvironmentOverrides.IsOne).Order(StringComparer.Ordinal)]);
}
