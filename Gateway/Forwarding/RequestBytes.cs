using System.Buffers;
using Gateway.Requests;

namespace Gateway.Forwarding;

/// <summary>A request body in a pooled buffer: all of it, or its beginning with the rest still to come. Owned by the request's path.</summary>
public sealed class RequestBytes : IDisposable
{
    private const int FirstGuessBytes = 4096;

    // A client may announce what it never sends: memory grows with what has come, not with what was promised.
    private const int MostAtFirstBytes = 64 << 10;

    /// <summary>Most bytes that are kept of one body: they stand in one array, which must have room for one more to tell that there are no more.</summary>
    public static readonly int MostBytes = Array.MaxLength - 1;

    private readonly Lock _gate = new();
    private readonly BodyShare? _share;
    private byte[] _buffer;
    private long _taken;
    private int _length;
    private int _senders;
    private bool _isDisposed;
    private volatile bool _awaitsClient;

    private RequestBytes(int capacity, BodyShare? share)
    {
        _share = share;
        _buffer = ArrayPool<byte>.Shared.Rent(capacity);
        IsRefused = !TryTake(_buffer.Length);
    }

    /// <summary>Whether the gateway had no memory left for more of the body: what is here is not all of it.</summary>
    public bool IsRefused { get; private set; }

    /// <summary>The bytes read so far.</summary>
    public ReadOnlyMemory<byte> Memory => _buffer.AsMemory(0, _length);

    /// <summary>What follows the bytes read so far; null: nothing, the body can be sent again.</summary>
    public Stream? Rest { get; private set; }

    /// <summary>Reads a whole stream.</summary>
    /// <param name="body">The stream.</param>
    /// <param name="announcedBytes">Its length by the header; null: not announced.</param>
    /// <param name="maxBytes">Most that is read; beyond <see cref="MostBytes"/> nothing is.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <param name="share">Memory for bodies; null: unlimited.</param>
    /// <returns>Null when the stream holds more than <paramref name="maxBytes"/>, or than was announced; look at <see cref="IsRefused"/> first.</returns>
    public static async ValueTask<RequestBytes?> ReadAsync(
        Stream body, long? announcedBytes, long maxBytes, CancellationToken cancellationToken, BodyShare? share = null)
    {
        maxBytes = Math.Min(maxBytes, MostBytes);
        if (announcedBytes > maxBytes)
        {
            return null;
        }
        var most = announcedBytes ?? maxBytes;
        var bytes = new RequestBytes((int)Math.Min(announcedBytes + 1 ?? FirstGuessBytes, MostAtFirstBytes), share);
        try
        {
            while (await bytes.ReadMoreAsync(body, most, cancellationToken) > 0)
            {
                if (bytes._length > most)
                {
                    bytes.Dispose();
                    return null;
                }
            }
            return bytes;
        }
        catch
        {
            bytes.Dispose();
            throw;
        }
    }

    /// <summary>An empty buffer, to be filled from the beginning of a stream.</summary>
    public static RequestBytes Begin(BodyShare? share = null) => new(FirstGuessBytes, share);

    /// <summary>Reads what comes next.</summary>
    /// <returns>Bytes read; 0 at the end, and where <see cref="IsRefused"/>.</returns>
    public async ValueTask<int> ReadMoreAsync(Stream body, long maxBytes, CancellationToken cancellationToken)
    {
        if (_length == _buffer.Length)
        {
            Grow(maxBytes);
        }
        if (IsRefused)
        {
            return 0;
        }
        var read = await body.ReadAsync(_buffer.AsMemory(_length), cancellationToken);
        _length += read;
        return read;
    }

    /// <summary>Whether the rest is being passed on, and its next bytes are the client's to send.</summary>
    public bool AwaitsClient { get => _awaitsClient; set => _awaitsClient = value; }

    /// <summary>Most bytes that the whole may have, where there is a rest.</summary>
    public long MaxBytes { get; private set; }

    /// <summary>Goes on scanning the form while its rest is passed on: a second model field there makes the request invalid. Null where there is no rest.</summary>
    public MultipartModelScanner? Form { get; private set; }

    /// <summary>Leaves the rest of the stream for whoever forwards: it is passed on without being kept.</summary>
    public void LeaveRest(Stream body, long maxBytes, MultipartModelScanner form) => (Rest, MaxBytes, Form) = (body, maxBytes, form);

    /// <summary>Keeps the bytes in place while they are sent: a connection may still write when the request is over already.</summary>
    /// <exception cref="IOException">The request is over.</exception>
    public void BeginSend()
    {
        lock (_gate)
        {
            if (_isDisposed)
            {
                throw new IOException("The request is over.");
            }
            _senders++;
        }
    }

    /// <summary>Ends what <see cref="BeginSend"/> began.</summary>
    public void EndSend()
    {
        lock (_gate)
        {
            _senders--;
            ReturnLocked();
        }
    }

    /// <summary>Gives the buffer back, at the latest when the last sender is done.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _isDisposed = true;
            ReturnLocked();
        }
    }

    private void ReturnLocked()
    {
        if (_isDisposed && _senders == 0 && _buffer.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(_buffer);
            (_buffer, _length) = ([], 0);
            _share?.Return(_taken);
            _taken = 0;
        }
    }

    private bool TryTake(long bytes)
    {
        if (_share?.TryTake(bytes, _taken) == false)
        {
            return false;
        }
        _taken += bytes;
        return true;
    }

    private void Grow(long maxBytes)
    {
        var larger = ArrayPool<byte>.Shared.Rent((int)Math.Min(2L * _buffer.Length, Math.Min(maxBytes + 1, Array.MaxLength)));
        if (!TryTake(larger.Length - _buffer.Length))
        {
            ArrayPool<byte>.Shared.Return(larger);
            IsRefused = true;
            return;
        }
        _buffer.AsSpan(0, _length).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = larger;
    }
}
