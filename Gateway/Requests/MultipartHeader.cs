using System.Text;

namespace Gateway.Requests;

/// <summary>The form fields that the gateway reads.</summary>
internal enum MultipartField
{
    Preamble,
    Other,

    /// <summary>A part that has two names: an engine may go by the one that was not looked at.</summary>
    Ambiguous,
    Model,
    Stream,
    ResponseFormat,
}

/// <summary>Reads the few header parameters that a multipart form needs.</summary>
internal static class MultipartHeader
{
    private const int MaxBoundaryLength = 70;

    /// <returns>Null when the type is another one, or the boundary is missing or longer than RFC 2046 allows.</returns>
    public static string? Boundary(string? contentType)
    {
        if (contentType is null || !contentType.TrimStart().StartsWith("multipart/form-data", StringComparison.OrdinalIgnoreCase))
        {
            return null;
        }

        var boundary = Parameter(contentType, "boundary");
        return boundary is { Length: > 0 and <= MaxBoundaryLength } && Ascii.IsValid(boundary) && boundary.AsSpan().IndexOfAnyInRange('\0', '\x1F') < 0
            ? boundary
            : null;
    }

    /// <summary>Which field a part is, by its <c>Content-Disposition</c>. A part with a file name is a file whatever its name.</summary>
    public static MultipartField Field(ReadOnlySpan<byte> head)
    {
        var lines = Encoding.Latin1.GetString(head).Split("\r\n").Where(line => line.StartsWith("content-disposition:", StringComparison.OrdinalIgnoreCase)).ToArray();
        if (lines.Length == 0)
        {
            return MultipartField.Other;
        }

        var parameters = Parameters(lines[0]).ToArray();
        if (lines.Length > 1 || parameters.Count(parameter => Is(parameter.Name, "name")) > 1 || parameters.Any(parameter => Is(parameter.Name, "name*")))
        {
            return MultipartField.Ambiguous;
        }

        return parameters.Any(parameter => Is(parameter.Name, "filename") || Is(parameter.Name, "filename*"))
            ? MultipartField.Other
            : parameters.FirstOrDefault(parameter => Is(parameter.Name, "name")).Value switch
            {
                "model" => MultipartField.Model,
                "stream" => MultipartField.Stream,
                "response_format" => MultipartField.ResponseFormat,
                _ => MultipartField.Other,
            };
    }

    private static string? Parameter(string header, string name) => Parameters(header).FirstOrDefault(parameter => Is(parameter.Name, name)).Value;

    private static bool Is(string parameter, string name) => parameter.Equals(name, StringComparison.OrdinalIgnoreCase);

    /// <summary>The parameters behind the first semicolon, quotes and backslashes resolved.</summary>
    private static IEnumerable<(string Name, string Value)> Parameters(string header)
    {
        var at = header.IndexOf(';', StringComparison.Ordinal);
        while (at >= 0 && at < header.Length)
        {
            at++;
            var equals = header.IndexOf('=', at);
            if (equals < 0)
            {
                yield break;
            }

            var name = header[at..equals].Trim();
            yield return (name, Value(header, equals + 1, out at));
        }
    }

    /// <param name="header">The header.</param>
    /// <param name="at">First character of the value.</param>
    /// <param name="next">The semicolon behind the value, or -1.</param>
    private static string Value(string header, int at, out int next)
    {
        if (at >= header.Length || header[at] != '"')
        {
            next = header.IndexOf(';', at);
            return (next < 0 ? header[at..] : header[at..next]).Trim();
        }

        var value = new StringBuilder();
        for (at++; at < header.Length && header[at] != '"'; at++)
        {
            at += header[at] == '\\' && at + 1 < header.Length ? 1 : 0;
            value.Append(header[at]);
        }

        next = at < header.Length ? header.IndexOf(';', at) : -1;
        return value.ToString();
    }
}
