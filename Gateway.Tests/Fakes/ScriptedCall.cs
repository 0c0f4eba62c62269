using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Gateway.Tests.Fakes;

/// <summary>One request as the engine's socket saw it, and the bytes that go back. Used by one script.</summary>
internal sealed class ScriptedCall(Socket socket, CancellationToken stop) : IDisposable
{
    private readonly NetworkStream _stream = new(socket, ownsSocket: true);
    private byte[] _pending = [];
    private long _unread;
    private bool _isChunked;

    public string Method { get; private set; } = "";

    /// <summary>Path and query as on the wire.</summary>
    public string Target { get; private set; } = "";

    /// <summary>Header lines as on the wire, in their order.</summary>
    public IReadOnlyList<(string Name, string Value)> Headers { get; private set; } = [];

    /// <summary>The body, as far as the script has read it.</summary>
    public byte[] Body { get; private set; } = [];

    public string BodyText => Encoding.UTF8.GetString(Body);

    /// <summary>The values of a header; empty: it was not sent.</summary>
    public string[] Header(string name) =>
        [.. Headers.Where(header => header.Name.Equals(name, StringComparison.OrdinalIgnoreCase)).Select(header => header.Value)];

    /// <summary>Reads the body to its end.</summary>
    public async Task<byte[]> ReadBodyAsync()
    {
        while (await ReadSomeAsync() > 0)
        {
        }
        return Body;
    }

    /// <summary>Reads what comes next of the body.</summary>
    /// <returns>Bytes read; 0 at the end.</returns>
    public async Task<int> ReadSomeAsync()
    {
        if (_unread == 0 && _isChunked)
        {
            var size = await ReadLineAsync();
            _unread = long.Parse(size, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            if (_unread == 0)
            {
                await ReadLineAsync();
                _isChunked = false;
            }
        }
        if (_unread == 0)
        {
            return 0;
        }
        if (_pending.Length == 0 && !await FillAsync())
        {
            throw new IOException("The body was cut.");
        }
        var count = (int)Math.Min(_unread, _pending.Length);
        Body = [.. Body, .. _pending[..count]];
        _pending = _pending[count..];
        _unread -= count;
        if (_unread == 0 && _isChunked)
        {
            await ReadLineAsync();
        }
        return count;
    }

    /// <summary>Writes bytes as they are.</summary>
    public Task SendAsync(string text) => SendAsync(Encoding.UTF8.GetBytes(text));

    public async Task SendAsync(ReadOnlyMemory<byte> bytes) => await _stream.WriteAsync(bytes, stop);

    /// <summary>Reads the request and answers it.</summary>
    public Task JsonAsync(string json, int status = 200, string headers = "") => AnswerAsync("application/json", json, status, headers);

    public Task AnswerAsync(string type, string body, int status = 200, string headers = "") =>
        AnswerAsync(type, Encoding.UTF8.GetBytes(body), status, headers);

    public async Task AnswerAsync(string type, byte[] body, int status = 200, string headers = "")
    {
        await ReadBodyAsync();
        var head = FormattableString.Invariant($"HTTP/1.1 {status} Scripted\r\nContent-Type: {type}\r\nContent-Length: {body.Length}\r\nConnection: close\r\n{headers}\r\n");
        await SendAsync((byte[])[.. Encoding.UTF8.GetBytes(head), .. body]);
    }

    /// <summary>Reads the request and begins an event stream in chunks.</summary>
    public async Task BeginStreamAsync(string type = "text/event-stream; charset=utf-8")
    {
        await ReadBodyAsync();
        await SendAsync($"HTTP/1.1 200 OK\r\nContent-Type: {type}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
    }

    /// <summary>Sends one chunk of a stream.</summary>
    public Task ChunkAsync(string text) => ChunkAsync(Encoding.UTF8.GetBytes(text));

    public Task ChunkAsync(byte[] bytes) =>
        SendAsync((byte[])[.. Encoding.ASCII.GetBytes(bytes.Length.ToString("x", CultureInfo.InvariantCulture)), .. "\r\n"u8, .. bytes, .. "\r\n"u8]);

    /// <summary>Ends a stream in order.</summary>
    public Task EndStreamAsync() => SendAsync("0\r\n\r\n");

    /// <summary>A whole event stream.</summary>
    public async Task StreamAsync(params string[] chunks)
    {
        await BeginStreamAsync();
        foreach (var chunk in chunks)
        {
            await ChunkAsync(chunk);
        }
        await EndStreamAsync();
    }

    /// <summary>Waits until the gateway closes the connection.</summary>
    public async Task ClientGoneAsync()
    {
        try
        {
            while (await FillAsync())
            {
            }
        }
        catch (Exception reset) when (reset is IOException or SocketException)
        {
            // As good as closed.
        }
    }

    /// <summary>Closes the connection with a reset.</summary>
    public void Reset() => socket.Close(0);

    public void Dispose() => _stream.Dispose();

    internal async Task<bool> ReadHeadAsync()
    {
        var lines = new List<string>();
        while (lines.Count == 0 || lines[^1].Length > 0)
        {
            if (_pending.Length == 0 && !await FillAsync())
            {
                return false;
            }
            lines.Add(await ReadLineAsync());
        }
        var request = lines[0].Split(' ');
        (Method, Target) = (request[0], request[1]);
        Headers = [.. lines.Skip(1).SkipLast(1).Select(line => (line[..line.IndexOf(':', StringComparison.Ordinal)], line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim()))];
        _isChunked = Header("Transfer-Encoding").Contains("chunked");
        _unread = Header("Content-Length") is [var length] ? long.Parse(length, CultureInfo.InvariantCulture) : 0;
        return true;
    }

    private async Task<string> ReadLineAsync()
    {
        int end;
        while ((end = _pending.AsSpan().IndexOf("\r\n"u8)) < 0)
        {
            if (!await FillAsync())
            {
                throw new IOException("A line was cut.");
            }
        }
        var line = Encoding.UTF8.GetString(_pending, 0, end);
        _pending = _pending[(end + 2)..];
        return line;
    }

    private async Task<bool> FillAsync()
    {
        var buffer = new byte[16 * 1024];
        var read = await _stream.ReadAsync(buffer, stop);
        _pending = [.. _pending, .. buffer.AsSpan(0, read)];
        return read > 0;
    }
}
