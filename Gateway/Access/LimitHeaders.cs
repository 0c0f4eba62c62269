using System.Globalization;
using Gateway.Access.Limits;
using Microsoft.AspNetCore.Http;

namespace Gateway.Access;

/// <summary>How a tenant's limits stand, in the headers that OpenAI's clients know.</summary>
internal static class LimitHeaders
{
    private const string Prefix = "x-ratelimit-";

    /// <summary>Adds the headers to the answer, whatever it will be: an engine's own are of no concern to the client.</summary>
    public static void Attach(HttpResponse response, LimitVerdict verdict) => response.OnStarting(
        static state =>
        {
            var (headers, verdict) = ((IHeaderDictionary, LimitVerdict))state;
            foreach (var name in headers.Keys.Where(name => name.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase)).ToArray())
            {
                headers.Remove(name);
            }
            Write(headers, "requests", verdict.Requests);
            Write(headers, "tokens", verdict.Tokens);
            return Task.CompletedTask;
        },
        (response.Headers, verdict));

    private static void Write(IHeaderDictionary headers, string what, LimitState? state)
    {
        if (state is { } known)
        {
            headers[$"{Prefix}limit-{what}"] = known.Limit.ToString(CultureInfo.InvariantCulture);
            headers[$"{Prefix}remaining-{what}"] = known.Remaining.ToString(CultureInfo.InvariantCulture);
            headers[$"{Prefix}reset-{what}"] = string.Create(CultureInfo.InvariantCulture, $"{Math.Ceiling(known.Reset.TotalMilliseconds) / 1000:0.###}s");
        }
    }
}
