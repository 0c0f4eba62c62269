using Gateway.Forwarding.Answers;

namespace Gateway.Cli.Live;

/// <summary>
/// Reads a streamed answer with the definitions of <c>vllm bench serve</c>: the first token is the first event whose <c>choices</c> is not empty, the last one
/// the last such event; the usage event behind it does not make the answer longer. Reads one stream.
/// </summary>
internal sealed class LiveStream(TimeProvider time)
{
    private const int MostEventBytes = 1 << 20;

    private readonly SseFrameReader _events = new(MostEventBytes);
    private byte[] _buffer = new byte[4 * 1024];
    private int _guessedTokens;
    private bool _isFinished;
    private bool _isError;
    private bool _isMalformed;

    /// <summary>When the first event with choices came; null: none did.</summary>
    public long? FirstAt { get; private set; }

    /// <summary>When the last one came.</summary>
    public long? LastAt { get; private set; }

    public AnswerUsage Usage { get; private set; }

    /// <summary>As the engine counted them; without its count, events with content.</summary>
    public int OutputTokens => Usage.OutputTokens ?? _guessedTokens;

    /// <summary>Reads to the end, which lets the connection serve again.</summary>
    /// <returns>Null, or why the answer is not complete.</returns>
    /// <exception cref="IOException">The connection broke.</exception>
    public async Task<string?> ReadAsync(Stream body, CancellationToken cancellationToken)
    {
        for (var (filled, read) = (0, 1); read > 0;)
        {
            if (filled == _buffer.Length)
            {
                Array.Resize(ref _buffer, 2 * _buffer.Length);
            }
            read = await body.ReadAsync(_buffer.AsMemory(filled), cancellationToken);
            filled = Take(filled + read, read == 0, time.GetTimestamp());
        }
        return _isError ? "error in the stream"
            : _isMalformed ? "stream with an event that is no JSON"
            : FirstAt is null ? "answer without choices"
            : _isFinished ? null : "stream cut";
    }

    /// <returns>Bytes left over, moved to the buffer's start.</returns>
    private int Take(int filled, bool isEnd, long at)
    {
        var start = 0;
        while (_events.Read(_buffer.AsSpan(start, filled - start), isEnd, out var frame) is var read && read != SseRead.NeedMore)
        {
            if (read == SseRead.Frame && frame.DataLines > 0)
            {
                var bytes = _buffer.AsSpan(start, frame.Length);
                Take(AnswerFrame.Read(frame, frame.Payload(bytes, frame.DataLines > 1 ? new byte[frame.Length] : default)), at);
            }
            start += frame.Length;
        }
        _buffer.AsSpan(start, filled - start).CopyTo(_buffer);
        return filled - start;
    }

    private void Take(in AnswerFacts facts, long at)
    {
        _isError |= facts.IsError;
        _isMalformed |= facts.Shape == AnswerShape.Malformed;
        _isFinished |= facts.Shape == AnswerShape.Done || facts.Finish != FinishKind.None;
        _guessedTokens += facts.TokenGuess;
        Usage = facts.Usage.Over(Usage);
        if (facts.Choices > 0)
        {
            FirstAt ??= at;
            LastAt = at;
        }
    }
}
