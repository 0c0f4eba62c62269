using System.Text.Json;
using System.Text.Unicode;

namespace Gateway.Requests;

/// <summary>Understands a JSON request body in one pass over its bytes, without building a tree and without changing a byte.</summary>
/// <remarks>
/// A byte order mark at the start is skipped, as engines in Python do. Members that a route does not act on are neither checked nor
/// counted; which members must be there is the engine's business, <c>model</c> excepted. Of a member that occurs twice the last one
/// counts, as for the engines; <c>model</c> twice is refused, because then the gateway and the engine could disagree about who serves.
/// </remarks>
public static class BodyReader
{
    /// <summary>Deepest nesting that is read.</summary>
    public const int MaxDepth = 64;

    /// <summary>Most places with members that only trusted callers may send: there are fewer such members than that.</summary>
    public const int MaxTrustedOnlyPlaces = 128;

    /// <summary>Longest <c>model</c> in bytes of UTF-8.</summary>
    public const int MaxModelBytes = 1024;

    /// <param name="body">The whole body.</param>
    /// <param name="route">Decides which members matter.</param>
    /// <param name="hasher">Hashes the prompt's blocks and the session keys.</param>
    /// <param name="facts">What was found; <see cref="BodyFacts.None"/> when there is a problem.</param>
    /// <param name="prefix">The prompt's block hashes; empty for routes that do not generate.</param>
    /// <returns>Null when the body can be served, else what is wrong with it.</returns>
    public static BodyProblem? Read(
        ReadOnlySpan<byte> body, ApiRoute route, PrefixHasher hasher, out BodyFacts facts, out PrefixFingerprint prefix)
    {
        facts = BodyFacts.None;
        prefix = PrefixFingerprint.Empty;
        if (!Utf8.IsValid(body))
        {
            // No engine accepts such a body, and some answer it with 500, which would count as a fault of the replica.
            return new("invalid_json", "The request body is not valid UTF-8, which JSON is written in. Encode its texts as UTF-8.", null);
        }

        var pass = new BodyPass(body, route, hasher);
        try
        {
            if (pass.Run() is { } problem)
            {
                return problem;
            }

            facts = pass.Facts();
            prefix = pass.Prefix();
            return null;
        }
        catch (JsonException broken)
        {
            return pass.NotJson(broken);
        }
        finally
        {
            pass.Dispose();
        }
    }
}
