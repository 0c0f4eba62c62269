using System.Text;

namespace Gateway.Requests;

/// <summary>The form fields that the gateway reads.</summary>
internal enum MultipartField
{
    Preamble,
    Other,

    /// <summary>A part whose head is not plainly written: an engine may read another name out of it.</summary>
    Ambiguous,
    Model,
    Stream,
}

/// <summary>Reads the few header parameters that a multipart form needs.</summary>
internal static class MultipartHeader
{
    private const int MaxBoundaryLength = 70;

    /// <returns>Null when the type is another one, or the boundary is missing, longer than RFC 2046 allows, or not plainly written: an engine may read another one.</returns>
    public static string? Boundary(string? contentType)
    {
        if (contentType is null || !contentType.TrimStart().StartsWith("multipart/form-data", StringComparison.OrdinalIgnoreCase)
            || Parameters(contentType) is not { } parameters || Count(parameters, "boundary") != 1)
        {
            return null;
        }

        var boundary = ValueOf(parameters, "boundary");
        return boundary is { Length: > 0 and <= MaxBoundaryLength } && Ascii.IsValid(boundary) && boundary.AsSpan().IndexOfAnyInRange('\0', '\x1F') < 0
            ? boundary
            : null;
    }

    /// <summary>Which field a part is, by its <c>Content-Disposition</c>. A part with a file name is a file whatever its name.</summary>
    public static MultipartField Field(ReadOnlySpan<byte> head)
    {
        var lines = Encoding.Latin1.GetString(head).Split("\r\n");
        var told = Array.FindAll(lines, static line => line.StartsWith("content-disposition:", StringComparison.OrdinalIgnoreCase));
        if (told.Length > 1 || Array.Exists(lines, IsFolded))
        {
            return MultipartField.Ambiguous;
        }

        if (told.Length == 0)
        {
            return MultipartField.Other;
        }

        if (Parameters(told[0]) is not { } parameters || Count(parameters, "name") > 1)
        {
            return MultipartField.Ambiguous;
        }

        return Count(parameters, "filename") > 0
            ? MultipartField.Other
            : ValueOf(parameters, "name") switch
            {
                "model" => MultipartField.Model,
                "stream" => MultipartField.Stream,
                _ => MultipartField.Other,
            };
    }

    // Some engines read on in the next line, or end one at a bare line feed.
    private static bool IsFolded(string line) => line.StartsWith(' ') || line.StartsWith('\t') || line.AsSpan().IndexOfAny('\r', '\n') >= 0;

    private static int Count(List<(string Name, string Value)> parameters, string name) => parameters.Count(parameter => parameter.Name.Equals(name, StringComparison.OrdinalIgnoreCase));

    private static string? ValueOf(List<(string Name, string Value)> parameters, string name) =>
        parameters.FirstOrDefault(parameter => parameter.Name.Equals(name, StringComparison.OrdinalIgnoreCase)).Value;

    /// <summary>The parameters behind the first semicolon, quotes and backslashes resolved, <c>filename*</c> as <c>filename</c>.</summary>
    /// <returns>Null when they could be read in more than one way.</returns>
    private static List<(string Name, string Value)>? Parameters(string header)
    {
        List<(string, string)> parameters = [];
        var at = header.IndexOf(';', StringComparison.Ordinal) + 1;
        if (header.AsSpan(0, at).Contains('"'))
        {
            return null;
        }

        while (at > 0 && !string.IsNullOrWhiteSpace(header[at..]))
        {
            var equals = header.AsSpan(at).IndexOfAny('=', ';');
            var name = equals < 0 || header[at + equals] == ';' ? "" : header.AsSpan(at, equals).Trim().ToString();
            var isFileName = name.Equals("filename*", StringComparison.OrdinalIgnoreCase);
            // RFC 2231 puts a name's language, or its pieces, behind a star.
            if (name.Length == 0 || name.Contains('"') || (name.Contains('*') && !isFileName) || Value(header, at + equals + 1, out at) is not { } value)
            {
                return null;
            }

            parameters.Add((isFileName ? "filename" : name, value));
        }

        return parameters;
    }

    /// <param name="header">The header.</param>
    /// <param name="at">First character of the value.</param>
    /// <param name="next">First character behind the semicolon that ends the value; 0: nothing follows.</param>
    /// <returns>Null when a quote stands, or is missing, where readers differ.</returns>
    private static string? Value(string header, int at, out int next)
    {
        var isQuoted = header.AsSpan(at).TrimStart() is ['"', ..];
        var quoted = isQuoted ? Quoted(header, ref at) : null;
        next = header.IndexOf(';', at) + 1;
        var rest = header[at..(next > 0 ? next - 1 : header.Length)].Trim();
        return !isQuoted && !rest.Contains('"') ? rest : rest.Length == 0 ? quoted : null;
    }

    private static string? Quoted(string header, ref int at)
    {
        var value = new StringBuilder();
        for (at = header.IndexOf('"', at) + 1; at < header.Length && header[at] != '"'; at++)
        {
            at += header[at] == '\\' && at + 1 < header.Length ? 1 : 0;
            value.Append(header[at]);
        }

        // An escaped backslash before the last quote is an escaped quote to some.
        var isClosed = at < header.Length && header[at - 1] != '\\';
        at = Math.Min(at + 1, header.Length);
        return isClosed ? value.ToString() : null;
    }
}
