using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Gateway.Learning;
using Gateway.Requests;

namespace Gateway.Telemetry;

/// <summary>Writes a completed request as one line of JSON. Holds counts, times, hashes and configured names, never text of a prompt or answer. Not thread-safe.</summary>
/// <remarks>What is unknown is absent, not null; times are milliseconds. A model name that no pool serves is the client's text, so it is absent too.</remarks>
internal sealed class AccessLogLine : IDisposable
{
    /// <summary>Prefix hashes written at most; the count tells how many there were.</summary>
    public const int MaxPrefixHashes = 64;

    private const int MaxCodeLength = 64;
    private const double UpperQuantile = 0.9;

    private readonly Utf8JsonWriter _json = new(Stream.Null);

    /// <summary>Appends the line, newline included.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="completed">The request.</param>
    /// <param name="sample">Share of such requests that is written; below 1 it stands in the line.</param>
    public void Write(IBufferWriter<byte> output, CompletedRequest completed, double sample = 1)
    {
        _json.Reset(output);
        _json.WriteStartObject();
        _json.WriteString("time", completed.ArrivedAt.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture));
        _json.WriteString("id", completed.RequestId);
        if (completed.TraceId != default)
        {
            _json.WriteString("trace", completed.TraceId.ToHexString());
        }
        WriteEnding(completed);
        WriteTimes(completed);
        WriteTokens(completed);
        if (completed.Request is { } request)
        {
            WriteRequest(request);
        }
        if (sample < 1)
        {
            _json.WriteNumber("sample", sample);
        }
        _json.WriteEndObject();
        _json.Flush();
        output.Write("\n"u8);
    }

    public void Dispose() => _json.Dispose();

    private void WriteEnding(CompletedRequest completed)
    {
        WriteText("model", completed.Model);
        if (completed.Model is not null && completed.Request is { } request && request.Model != completed.Model)
        {
            _json.WriteString("alias", request.Model);
        }
        _json.WriteString("route", completed.Route.Path);
        WriteText("replica", completed.ReplicaId);
        WriteText("tenant", completed.Tenant);
        _json.WriteString("outcome", OutcomeOf(completed.Outcome));
        WriteText("code", completed.ErrorCode is { } code && !IsWord(code) ? MetricNames.Overflow : completed.ErrorCode);
        _json.WriteNumber("status", completed.StatusCode);
    }

    private void WriteTimes(CompletedRequest completed)
    {
        WriteMilliseconds("queue_ms", completed.QueueWait);
        WriteText("held_for", completed.HeldFor);
        WriteText("placed_by", completed.PlacedBy);
        WriteMilliseconds("overhead_ms", completed.Overhead);
        WriteMilliseconds("ttft_ms", completed.TimeToFirstToken);
        WriteMilliseconds("stream_ms", completed.StreamDuration);
        WriteMilliseconds("duration_ms", completed.Duration);
    }

    private void WriteTokens(CompletedRequest completed)
    {
        WriteCount("prompt_tokens", completed.Usage?.PromptTokens);
        WriteCount("cached_tokens", completed.Usage?.CachedTokens);
        WriteCount("reasoning_tokens", completed.Usage?.ReasoningTokens);
        _json.WriteNumber("output_tokens", completed.OutputTokens);
        if (completed.Estimate is { } estimate)
        {
            _json.WriteNumber("estimated_prompt_tokens", estimate.PromptTokens);
            _json.WriteNumber("estimated_output_tokens", Math.Round(estimate.OutputTokens, 1));
            _json.WriteNumber("estimated_output_tokens_q90", (long)estimate.Output.Quantile(UpperQuantile) * estimate.Sequences);
            _json.WriteNumber("sequences", estimate.Sequences);
        }
        _json.WriteNumber("prefix_hit_tokens", completed.PrefixHitTokens);
        _json.WriteBoolean("censored", completed.IsCensored);
        _json.WriteNumber("retries", completed.Retries);
        if (completed.Continuations > 0)
        {
            _json.WriteNumber("continuations", completed.Continuations);
            WriteText("continued_from", completed.ContinuedFrom);
        }
        if (completed.MalformedFrames > 0)
        {
            _json.WriteNumber("malformed_frames", completed.MalformedFrames);
        }
    }

    private void WriteRequest(InferenceRequest request)
    {
        var body = request.Body;
        _json.WriteBoolean("stream", body.IsStreaming);
        _json.WriteString("priority", request.Priority.Word());
        if (request.PriorityLevel != 0)
        {
            _json.WriteNumber("priority_level", request.PriorityLevel);
        }
        _json.WriteNumber("body_bytes", body.BodyBytes);
        _json.WriteNumber("prompt_bytes", body.PromptBytes);
        WriteCount("max_output_tokens", body.MaxOutputTokens);
        WriteHash("session", request.SessionKey);
        WriteHash("system", body.SystemPromptKey);
        var blocks = request.Prefix.Blocks;
        if (blocks.Length > 0)
        {
            _json.WriteNumber("prefix_block_bytes", request.Prefix.BlockBytes);
            _json.WriteNumber("prefix_blocks", blocks.Length);
            _json.WriteStartArray("prefix");
            foreach (var block in blocks.AsSpan(0, Math.Min(blocks.Length, MaxPrefixHashes)))
            {
                WriteHashValue(block);
            }
            _json.WriteEndArray();
        }
    }

    /// <summary>Whether a code looks like one. An engine's own may be any text, and text could be the prompt's.</summary>
    internal static bool IsWord(string code) => code.Length <= MaxCodeLength && code.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '_' or '-' or '.');

    internal static string OutcomeOf(RequestOutcome outcome) => outcome switch
    {
        RequestOutcome.Success => "success",
        RequestOutcome.ClientError => "client_error",
        RequestOutcome.Refused => "refused",
        RequestOutcome.Failed => "failed",
        RequestOutcome.Canceled => "canceled",
        _ => throw new UnreachableException($"{outcome} has no word"),
    };

    private void WriteText(string name, string? value)
    {
        if (value is not null)
        {
            _json.WriteString(name, value);
        }
    }

    private void WriteCount(string name, int? count)
    {
        if (count is { } value)
        {
            _json.WriteNumber(name, value);
        }
    }

    private void WriteMilliseconds(string name, TimeSpan? span)
    {
        if (span is { } value)
        {
            _json.WriteNumber(name, Math.Round(value.TotalMilliseconds, 3));
        }
    }

    private void WriteHash(string name, ulong hash)
    {
        if (hash != 0)
        {
            _json.WritePropertyName(name);
            WriteHashValue(hash);
        }
    }

    private void WriteHashValue(ulong hash)
    {
        Span<char> digits = stackalloc char[16];
        hash.TryFormat(digits, out _, "x16", CultureInfo.InvariantCulture);
        _json.WriteStringValue(digits);
    }
}
