using System.Text;

namespace Gateway.Requests;

/// <summary>How far a <see cref="MultipartModelScanner"/> has come.</summary>
public enum MultipartScan
{
    /// <summary>The model is not known yet.</summary>
    NeedMore,

    /// <summary>The model is known; further parts may still be fed to learn about <c>stream</c>.</summary>
    Found,

    /// <summary>The form ended without a model.</summary>
    NotFound,

    /// <summary>Not a form, or one beyond the bounds; <see cref="MultipartModelScanner.Problem"/> says why.</summary>
    Malformed,
}

/// <summary>
/// Finds the <c>model</c> field of a <c>multipart/form-data</c> body that arrives in any pieces, without keeping the file. One body, one thread.
/// </summary>
/// <remarks>Memory is bounded: 8 KiB of headers per part, 256 bytes of each wanted value. RFC 7578, delimiters after RFC 2046.</remarks>
public sealed class MultipartModelScanner
{
    /// <summary>Longest head of one part.</summary>
    public const int MaxHeaderBytes = 8 * 1024;

    /// <summary>Longest value of <c>model</c>.</summary>
    public const int MaxValueBytes = 256;

    private readonly byte[] _delimiter;
    private readonly byte[] _value = new byte[MaxValueBytes];
    private State _state = State.Content;
    private MultipartField _field = MultipartField.Preamble;
    private byte[] _head = new byte[512];
    private int _headLength;
    private int _matched = 2;
    private int _valueLength;
    private int _lineEnd;
    private long _position;
    private long _valueStart;

    private MultipartModelScanner(string boundary) => _delimiter = Encoding.ASCII.GetBytes("\r\n--" + boundary);

    private enum State
    {
        /// <summary>In the preamble or in a part's content: looking for the delimiter.</summary>
        Content,

        /// <summary>Behind a delimiter: its line has not ended.</summary>
        DelimiterLine,
        Head,
        End,
        Broken,
    }

    /// <summary>The model, once it is found.</summary>
    public string Model { get; private set; } = "";

    /// <summary>First byte of the model's value, counted from the body's start.</summary>
    public long ModelStart { get; private set; }

    /// <summary>Bytes of the model's value; what stands there may be replaced by another name.</summary>
    public int ModelLength { get; private set; }

    /// <summary>The field <c>stream</c> is true, as far as the form was read.</summary>
    public bool IsStreaming { get; private set; }

    /// <summary>What is wrong with the form; null when nothing.</summary>
    public BodyProblem? Problem { get; private set; }

    /// <summary>Where the scan stands.</summary>
    public MultipartScan Status => Problem is not null ? MultipartScan.Malformed
        : ModelLength > 0 ? MultipartScan.Found
        : _state == State.End ? MultipartScan.NotFound
        : MultipartScan.NeedMore;

    /// <param name="contentType">The request's <c>Content-Type</c>.</param>
    /// <returns>Null when it is not <c>multipart/form-data</c> with a usable boundary.</returns>
    public static MultipartModelScanner? Create(string? contentType) =>
        MultipartHeader.Boundary(contentType) is { } boundary ? new(boundary) : null;

    /// <summary>Takes the next piece of the body.</summary>
    public MultipartScan Feed(ReadOnlySpan<byte> chunk)
    {
        while (!chunk.IsEmpty && _state is not (State.End or State.Broken))
        {
            var taken = _state switch
            {
                State.Content => FeedContent(chunk),
                State.DelimiterLine => FeedDelimiterLine(chunk),
                _ => FeedHead(chunk),
            };
            _position += taken;
            chunk = chunk[taken..];
        }

        return Status;
    }

    /// <summary>Says that the body is over: a form without its closing delimiter is cut.</summary>
    public MultipartScan Finish()
    {
        if (_state is not (State.End or State.Broken))
        {
            Break("The multipart form ends before its closing boundary.", null);
        }

        return Status;
    }

    /// <summary>Content up to the delimiter. A CR can only begin a delimiter, so a failed match never has to look back.</summary>
    private int FeedContent(ReadOnlySpan<byte> chunk)
    {
        for (var i = 0; i < chunk.Length; i++)
        {
            if (_matched == 0 && _field is MultipartField.Other or MultipartField.Preamble)
            {
                var next = chunk[i..].IndexOf((byte)'\r');
                if (next < 0)
                {
                    return chunk.Length;
                }

                i += next;
            }

            if (chunk[i] == _delimiter[_matched])
            {
                if (++_matched == _delimiter.Length)
                {
                    CloseField();
                    _matched = 0;
                    _lineEnd = 0;
                    _state = _state == State.Broken ? State.Broken : State.DelimiterLine;
                    return i + 1;
                }

                continue;
            }

            Keep(_delimiter.AsSpan(0, _matched));
            _matched = chunk[i] == (byte)'\r' ? 1 : 0;
            if (_matched == 0)
            {
                Keep(chunk.Slice(i, 1));
            }
        }

        return chunk.Length;
    }

    /// <summary>Behind the boundary: two dashes end the form, spaces are padding, CR LF begins a part.</summary>
    private int FeedDelimiterLine(ReadOnlySpan<byte> chunk)
    {
        const int SeenDash = 1;
        const int SeenReturn = 2;
        for (var i = 0; i < chunk.Length; i++)
        {
            switch (chunk[i])
            {
                case (byte)'-' when _lineEnd == SeenDash:
                    _state = State.End;
                    return i + 1;
                case (byte)'-' when _lineEnd == 0:
                    _lineEnd = SeenDash;
                    break;
                case (byte)' ' or (byte)'\t' when _lineEnd == 0:
                    break;
                case (byte)'\r' when _lineEnd == 0:
                    _lineEnd = SeenReturn;
                    break;
                case (byte)'\n' when _lineEnd == SeenReturn:
                    _state = State.Head;
                    _headLength = 0;
                    return i + 1;
                default:
                    Break("The multipart form has bytes behind a boundary that do not belong there.", null);
                    return chunk.Length;
            }
        }

        return chunk.Length;
    }

    private int FeedHead(ReadOnlySpan<byte> chunk)
    {
        for (var i = 0; i < chunk.Length; i++)
        {
            if (_headLength == MaxHeaderBytes)
            {
                Break("A part of the multipart form has headers longer than 8 KiB.", null);
                return chunk.Length;
            }

            if (_headLength == _head.Length)
            {
                Array.Resize(ref _head, _head.Length * 2);
            }

            _head[_headLength++] = chunk[i];
            if (chunk[i] == (byte)'\n' && EndsHead(_head.AsSpan(0, _headLength)))
            {
                OpenField(_head.AsSpan(0, _headLength), _position + i + 1);
                return i + 1;
            }
        }

        return chunk.Length;
    }

    private static bool EndsHead(ReadOnlySpan<byte> head) => head.EndsWith("\r\n\r\n"u8) || head.SequenceEqual("\r\n"u8);

    private void OpenField(ReadOnlySpan<byte> head, long position)
    {
        _field = MultipartHeader.Field(head);
        _valueStart = position;
        _valueLength = 0;
        _matched = 0;
        _state = State.Content;
        if (_field == MultipartField.Ambiguous)
        {
            Break("A part of the multipart form does not tell its name plainly. Write one line Content-Disposition: form-data; name=\"...\", with filename=\"...\" for a file.", null);
        }
        else if (_field == MultipartField.Model && ModelLength > 0)
        {
            Break("\"model\" occurs twice; name one model.", "model");
        }
    }

    private void Keep(ReadOnlySpan<byte> bytes)
    {
        if (_field is MultipartField.Other or MultipartField.Preamble)
        {
            return;
        }

        if (_valueLength + bytes.Length > MaxValueBytes)
        {
            if (_field == MultipartField.Model)
            {
                Break("\"model\" must be at most 256 bytes.", "model");
            }

            _field = MultipartField.Other;
            return;
        }

        bytes.CopyTo(_value.AsSpan(_valueLength));
        _valueLength += bytes.Length;
    }

    private void CloseField()
    {
        var value = _value.AsSpan(0, _valueLength);
        switch (_field)
        {
            case MultipartField.Model when System.Text.Unicode.Utf8.IsValid(value):
                Model = Encoding.UTF8.GetString(value);
                (ModelStart, ModelLength) = (_valueStart, _valueLength);
                break;
            case MultipartField.Model:
                Break("\"model\" must be valid UTF-8.", "model");
                break;
            case MultipartField.Stream:
                IsStreaming = Ascii.EqualsIgnoreCase(value, "true"u8) || value.SequenceEqual("1"u8);
                break;
        }
    }

    private void Break(string message, string? param)
    {
        _state = State.Broken;
        Problem ??= new(param is null ? "invalid_multipart" : "invalid_value", message, param);
    }
}
