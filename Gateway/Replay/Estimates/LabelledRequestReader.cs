using System.Globalization;
using System.Text;
using System.Text.Json;
using Gateway.Replay.Traces;
using Gateway.Replay.Traces.Readers;
using Gateway.Requests;

namespace Gateway.Replay.Estimates;

/// <summary>
/// Reads requests with the lengths of their answers: prompts as JSON lines, or the gateway's own access log. A row with text becomes a real chat completion
/// that goes through <see cref="BodyReader"/>; its text is forgotten then.
/// </summary>
/// <param name="time">Times the reading of bodies.</param>
public sealed class LabelledRequestReader(TimeProvider time)
{
    private const string UnknownModel = "unknown";

    // The keys hide nothing here: who reads the file knows the texts. They must be the same in every run.
    private readonly PrefixHasher _hasher = new(key: 0);
    private readonly MeanTime _reading = new(time);

    /// <summary>Mean time to understand a body; null where no row had one.</summary>
    public double? ReadingMicroseconds => _reading.Microseconds;

    /// <param name="path">A file, plain or gzip.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="TraceException">It cannot be read; says file, line and what is allowed.</exception>
    public LabelledFile Read(string path, CancellationToken cancellationToken)
    {
        var name = Path.GetFileName(path);
        var format = FormatOf(path, name);
        using var file = TraceFiles.Open(path);
        var lines = new LineReader(file, name);
        var turns = new TurnTexts();
        var rows = new List<LabelledRequest>();
        while (lines.Next(out var line))
        {
            cancellationToken.ThrowIfCancellationRequested();
            using var document = JsonRow.Parse(line, lines.Spot);
            var row = new JsonRow(document.RootElement, lines.Spot);
            if (format == TraceFormat.AccessLog)
            {
                rows.AddRange(LoggedAnswer.Read(row, Stem(name), _hasher));
            }
            else if (row.Find("messages") is { } messages && row.Find("output_tokens") is null)
            {
                rows.AddRange(Turns(row, messages, name));
            }
            else
            {
                rows.Add(Single(row, BodyOf(row, turns), name));
            }
        }
        return rows.Count > 0 ? new LabelledFile(name, rows) : throw lines.Spot.Wrong("no row has an answer to learn from or to test on.");
    }

    private static TraceFormat FormatOf(string path, string name)
    {
        using var file = TraceFiles.Open(path);
        return FormatDetector.Detect(new LineReader(file, name)) is { } format and (TraceFormat.Prompts or TraceFormat.AccessLog)
            ? format
            : throw new TraceSpot(name, 1).Wrong("neither prompts nor an access log. Allowed: JSON lines with prompt, messages or suffix, prompt_tokens and output_tokens, or the gateway's own access log.");
    }

    private static ReadOnlyMemory<byte> BodyOf(JsonRow row, TurnTexts turns)
    {
        var model = ModelOf(row);
        return row.Find("messages") is { ValueKind: JsonValueKind.Array } messages
            ? ChatBody.OfMessages(row, model, messages)
            : ChatBody.OfText(row, model, turns.Next(row).Text);
    }

    private LabelledRequest Single(JsonRow row, ReadOnlyMemory<byte> body, string file)
    {
        var output = row.RequiredCount(0, "output_tokens");
        return new LabelledRequest
        {
            Request = RequestOf(row, body, file),
            Source = SourceOf(row, file),
            PromptKey = PromptKeyOf(row, body),
            OutputTokens = output,
            IsCensored = row.Count(1, "max_tokens", "max_completion_tokens") is { } most && output >= most,
            Samples = SamplesOf(row),
        };
    }

    // Every answer of a recorded conversation was one request: all messages before it.
    private IEnumerable<LabelledRequest> Turns(JsonRow row, JsonElement messages, string file)
    {
        if (messages.ValueKind != JsonValueKind.Array)
        {
            throw row.Spot.Wrong("messages is no array. Allowed: a list of messages with role and content.");
        }
        var model = ModelOf(row);
        var before = 0;
        foreach (var message in messages.EnumerateArray())
        {
            if (message.ValueKind != JsonValueKind.Object)
            {
                throw row.Spot.Wrong("a message is no object. Allowed: messages with role and content.");
            }
            var turn = new JsonRow(message, row.Spot);
            if (turn.Count(1, "request_input_tokens") is not null)
            {
                var body = ChatBody.OfTurn(row, model, messages, before);
                yield return new LabelledRequest
                {
                    Request = RequestOf(row, body, file),
                    Source = SourceOf(row, file),
                    PromptKey = PromptKeyOf(row, body),
                    OutputTokens = turn.RequiredCount(0, "output_tokens"),
                    IsCensored = false,
                };
            }
            before++;
        }
    }

    private InferenceRequest RequestOf(JsonRow row, ReadOnlyMemory<byte> body, string file)
    {
        var startedAt = _reading.Start();
        var problem = BodyReader.Read(body.Span, ApiRoute.ChatCompletions, _hasher, out var facts, out var prefix);
        _reading.End(startedAt);
        if (problem is not null)
        {
            throw row.Spot.Wrong($"the row makes no request that the gateway would take. {problem.Message}");
        }
        return new InferenceRequest
        {
            Id = row.Spot.Line.ToString(CultureInfo.InvariantCulture),
            Route = ApiRoute.ChatCompletions,
            Model = facts.Model,
            Body = facts,
            Prefix = prefix,
            SessionKey = row.Label("session_id") is { } session ? _hasher.Key(Encoding.UTF8.GetBytes(session)) : 0,
            TenantKey = _hasher.Key(Encoding.UTF8.GetBytes(SourceOf(row, file))),
        };
    }

    // Trials of one task and turns of one session are alike: they stay on one side too.
    private ulong PromptKeyOf(JsonRow row, ReadOnlyMemory<byte> body) =>
        row.Label("prompt_id") is { } prompt ? _hasher.Key(Encoding.UTF8.GetBytes(prompt))
        : (row.Label("task") ?? row.Label("session_id")) is { } group ? _hasher.Key(Encoding.UTF8.GetBytes(row.Label("source") + "/" + group))
        : _hasher.Key(body.Span);

    private static IReadOnlyList<int> SamplesOf(JsonRow row)
    {
        if (row.Find("output_tokens_samples") is not { } samples)
        {
            return [];
        }
        if (samples.ValueKind != JsonValueKind.Object)
        {
            throw row.Spot.Wrong("output_tokens_samples is no object. Allowed: a name and a whole number for each sample.");
        }
        var sampled = new JsonRow(samples, row.Spot);
        return [.. samples.EnumerateObject().Select(member => sampled.RequiredCount(0, member.Name))];
    }

    private static string ModelOf(JsonRow row) => row.Label("model") ?? UnknownModel;

    private static string SourceOf(JsonRow row, string file) => row.Label("source") ?? Stem(file);

    private static string Stem(string file) => file.IndexOf('.', StringComparison.Ordinal) is > 0 and var dot ? file[..dot] : file;
}
