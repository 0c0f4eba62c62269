using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Gateway.Requests;

/// <summary>What is to be different in the body that the engine gets. The default value changes nothing.</summary>
/// <param name="Model">The engine's own name of the model; null: as the client wrote it.</param>
/// <param name="IncludesUsage">Ask for usage at the end of the stream, where the API has that option.</param>
/// <param name="Priority">The engine's priority; null: as the client wrote it.</param>
/// <param name="RemovesTrustedOnly">Take out the members that only trusted callers may send.</param>
/// <param name="CacheSalt">Salt of the caller's prefixes, where none stays that the client chose; null: none.</param>
/// <param name="Continued">Ask for the rest of an answer; null: for the whole.</param>
public readonly record struct BodyChanges(
    string? Model = null, bool IncludesUsage = false, int? Priority = null, bool RemovesTrustedOnly = false, string? CacheSalt = null, ContinuedBody? Continued = null);

/// <summary>Changes single values of a JSON body in place; every other byte stays as the client sent it.</summary>
public static class BodySplicer
{
    private static readonly byte[] IncludeUsageMember = "\"include_usage\":true"u8.ToArray();
    private static readonly byte[] StreamOptionsMember = "\"stream_options\":{\"include_usage\":true}"u8.ToArray();
    private static readonly byte[] StreamOptionsObject = "{\"include_usage\":true}"u8.ToArray();
    private static readonly byte[] Blank = " \t\r\n"u8.ToArray();
    private static readonly byte[] True = "true"u8.ToArray();

    /// <param name="body">The body that <paramref name="facts"/> were read from.</param>
    /// <param name="route">Only streamed chat and text completions have an option for usage.</param>
    /// <param name="facts">Where the values stand.</param>
    /// <param name="changes">What is to be different.</param>
    public static SplicedBody Splice(ReadOnlyMemory<byte> body, ApiRoute route, BodyFacts facts, in BodyChanges changes)
    {
        // The model, the usage, the priority, and all that is inserted.
        var edits = new Edits(4 + (changes.RemovesTrustedOnly ? facts.TrustedOnlyMembers.Count : 0) + (changes.Continued?.Edits.Count ?? 0));
        var inserted = new List<byte[]>();
        if (changes.Continued is { } continued)
        {
            foreach (var (place, bytes) in continued.Edits)
            {
                edits.Add(place, bytes);
            }

            if (continued.Members is { } members)
            {
                inserted.Add(members);
            }
        }

        if (changes.RemovesTrustedOnly)
        {
            foreach (var member in facts.TrustedOnlyMembers)
            {
                edits.Add(WithComma(body.Span, member), []);
            }
        }

        if (changes.Model is { } model && model != facts.Model && facts.ModelValue is { } modelValue)
        {
            edits.Add(modelValue, Quoted(model));
        }

        if (changes.IncludesUsage && facts is { IsStreaming: true, WantsStreamUsage: false }
            && route.Kind is ApiKind.ChatCompletions or ApiKind.Completions
            && AskForUsage(body.Span, facts, ref edits) is { } usage)
        {
            inserted.Add(usage);
        }

        if (changes.Priority is { } priority)
        {
            var written = Encoding.UTF8.GetBytes(priority.ToString(CultureInfo.InvariantCulture));
            if (facts.PriorityValue is { } priorityValue && !changes.RemovesTrustedOnly)
            {
                edits.Add(priorityValue, written);
            }
            else
            {
                inserted.Add([.. "\"priority\":"u8, .. written]);
            }
        }

        if (changes.CacheSalt is { } salt && route.Generates && (facts.CacheSaltValue is null || changes.RemovesTrustedOnly))
        {
            inserted.Add([.. "\"cache_salt\":"u8, .. Quoted(salt)]);
        }

        if (inserted.Count > 0)
        {
            edits.Add(facts.InsertAt..facts.InsertAt, Joined(inserted, facts.IsEmptyObject));
        }

        return edits.Apply(body);
    }

    // The member model always stays, so a removed member has a comma on one side of it.
    private static Range WithComma(ReadOnlySpan<byte> body, Range member)
    {
        var (start, end) = (member.Start.Value, member.End.Value);
        var behind = body[end..];
        var rest = behind.TrimStart(Blank);
        if (rest is [(byte)',', ..])
        {
            return start..(end + behind.Length - rest.Length + 1);
        }

        var before = body[..start].TrimEnd(Blank);
        return before is [.., (byte)','] ? (before.Length - 1)..end : member;
    }

    private static byte[] Joined(List<byte[]> members, bool isAll)
    {
        var joined = new byte[members.Sum(static member => member.Length + 1) - (isAll ? 1 : 0)];
        var end = 0;
        foreach (var member in members)
        {
            member.CopyTo(joined, end);
            end += member.Length;
            if (end < joined.Length)
            {
                joined[end++] = (byte)',';
            }
        }

        return joined;
    }

    /// <returns>A whole member to insert into the top-level object; null when an edit inside it was enough.</returns>
    private static byte[]? AskForUsage(ReadOnlySpan<byte> body, BodyFacts facts, ref Edits edits)
    {
        if (facts.IncludeUsageValue is { } value)
        {
            edits.Add(value, True);
            return null;
        }

        if (facts.StreamOptionsValue is not { } options)
        {
            return StreamOptionsMember;
        }

        var start = options.Start.Value;
        if (body[start] != (byte)'{')
        {
            edits.Add(options, StreamOptionsObject);
            return null;
        }

        var isEmpty = body[(start + 1)..].TrimStart(" \t\r\n"u8)[0] == (byte)'}';
        edits.Add((start + 1)..(start + 1), isEmpty ? IncludeUsageMember : [.. IncludeUsageMember, (byte)',']);
        return null;
    }

    private static byte[] Quoted(string text) =>
        [(byte)'"', .. JsonEncodedText.Encode(text, JavaScriptEncoder.UnsafeRelaxedJsonEscaping).EncodedUtf8Bytes, (byte)'"'];

    /// <summary>The few edits of one body, kept in the order of their places.</summary>
    private struct Edits(int most)
    {
        private readonly (int Start, int End, byte[] Bytes)[] _edits = new (int, int, byte[])[most];
        private int _count;

        public void Add(Range place, byte[] bytes)
        {
            var at = _count++;
            // At the same place, insertions come before removals.
            while (at > 0 && (_edits[at - 1].Start, _edits[at - 1].End).CompareTo((place.Start.Value, place.End.Value)) > 0)
            {
                _edits[at] = _edits[at - 1];
                at--;
            }

            _edits[at] = (place.Start.Value, place.End.Value, bytes);
        }

        public readonly SplicedBody Apply(ReadOnlyMemory<byte> body)
        {
            var segments = new ReadOnlyMemory<byte>[(_count * 2) + 1];
            var from = 0;
            for (var i = 0; i < _count; i++)
            {
                var (start, end, bytes) = _edits[i];
                segments[i * 2] = body[from..start];
                segments[(i * 2) + 1] = bytes;
                from = end;
            }

            segments[^1] = body[from..];
            return new SplicedBody(segments);
        }
    }
}
