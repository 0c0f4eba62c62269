using System.Globalization;

namespace Gateway.Replay.Traces.Generators;

/// <summary>A distribution of token counts, always at least 1.</summary>
internal sealed class TokenLengths
{
    private const double Most = 1_000_000;

    private const string Forms =
        "800, uniform(from,to), exponential(mean), lognormal(median,sigma[,cap]), pareto(least,alpha[,cap]), sharegpt[(factor)], classes[(factor)], heavytail[(factor)]";

    private readonly Func<Random, (double Tokens, int? Class)> _draw;

    private TokenLengths(Func<Random, (double Tokens, int? Class)> draw) => _draw = draw;

    /// <summary>A length, and the class a classifier would give it where the distribution knows classes.</summary>
    public (int Tokens, int? Class) Draw(Random chance)
    {
        var (tokens, lengthClass) = _draw(chance);
        return ((int)Math.Round(Math.Clamp(tokens, 1, Most)), lengthClass);
    }

    /// <param name="text">As in <c>lognormal(800,0.8)</c>.</param>
    /// <param name="parameter">Whose value it is, for messages.</param>
    /// <exception cref="TraceException">No such distribution; lists those there are.</exception>
    public static TokenLengths Parse(string text, string parameter)
    {
        var open = text.IndexOf('(', StringComparison.Ordinal);
        var name = open < 0 ? text : text[..open];
        var numbers = Numbers(open < 0 ? "" : text[open..], text, parameter);
        var draw = (name, numbers) switch
        {
            ("constant", [var tokens]) => Plain(_ => tokens),
            ("uniform", [var from, var to]) when from <= to => Plain(chance => from + ((to - from) * chance.NextDouble())),
            ("exponential", [var mean]) => Plain(chance => mean * chance.Exponential()),
            ("lognormal", [var median, var sigma, .. var cap]) when cap.Length <= 1 => LogNormal(median, sigma, 1, cap is [var most] ? most : Most),
            ("pareto", [var least, var alpha, .. var cap]) when cap.Length <= 1 && alpha > 0 => Plain(chance => Math.Min(cap is [var most] ? most : Most, least * Math.Exp(chance.Exponential() / alpha))),
            // Median 726 and sigma 0.6 between 262 and 1,500 have the mean of 806 of chat prompts with some history.
            ("sharegpt", [.. var factor]) when factor.Length <= 1 => LogNormal(726, 0.6, 262, 1_500, factor is [var times] ? times : 1),
            // Median 317 and 99th percentile 7,551, as one public trace has.
            ("heavytail", [.. var factor]) when factor.Length <= 1 => LogNormal(317, 1.363, 1, 100_000, factor is [var times] ? times : 1),
            ("classes", [.. var factor]) when factor.Length <= 1 => Classes(factor is [var times] ? times : 1),
            _ when double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var tokens) && tokens is >= 1 and <= Most => Plain(_ => tokens),
            _ => throw Wrong(text, parameter),
        };
        return new TokenLengths(draw);
    }

    private static Func<Random, (double, int?)> Plain(Func<Random, double> draw) => chance => (draw(chance), null);

    private static Func<Random, (double, int?)> LogNormal(double median, double sigma, double least, double most, double factor = 1) =>
        Plain(chance => factor * Math.Clamp(median * Math.Exp(sigma * chance.Normal()), least, Math.Max(least, most)));

    private static Func<Random, (double, int?)> Classes(double factor) => chance =>
    {
        var (tokens, lengthClass) = LengthClasses.Draw(chance);
        return (factor * tokens, lengthClass);
    };

    private static double[] Numbers(string list, string text, string parameter)
    {
        if (list.Length == 0)
        {
            return [];
        }

        if (list is not ['(', .. var inner, ')'])
        {
            throw Wrong(text, parameter);
        }

        return [.. inner.Split(',', StringSplitOptions.TrimEntries).Select(word =>
            double.TryParse(word, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && number is >= 0 and <= 1e9 ? number : throw Wrong(text, parameter))];
    }

    private static TraceException Wrong(string text, string parameter) => new($"{parameter}={text}: no such lengths. Allowed: {Forms}.");
}
