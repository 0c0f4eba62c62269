using System.Buffers;
using System.Net.Http;
using System.Net.Http.Headers;

namespace Gateway.Replicas.Engines;

/// <summary>Asks one engine, by GET only, within a time and a size. Failures are values; only the caller's own cancellation is thrown.</summary>
/// <param name="http">Sends without buffering: a handler's invoker, not an <c>HttpClient</c>, which would read the whole body first.</param>
/// <param name="address">The engine's base address, with its path prefix.</param>
/// <param name="apiKey">Sent as bearer; null: none.</param>
/// <param name="timeout">Longest time for one answer, its body included.</param>
/// <param name="time">The clock.</param>
public sealed class EngineClient(HttpMessageInvoker http, Uri address, string? apiKey, TimeSpan timeout, TimeProvider time)
{
    /// <summary>Bytes of an answer that are read at most; a longer one counts as none.</summary>
    public const int MaxBodyBytes = PrometheusText.MaxBytes;

    private readonly string _root = address.GetLeftPart(UriPartial.Path).TrimEnd('/');

    /// <summary>Whether the gateway has a key of its own for this engine.</summary>
    public bool HasKey => apiKey is not null;

    /// <summary>Asks for a path that starts with a slash.</summary>
    public async Task<EngineAnswer> GetAsync(string path, CancellationToken cancellationToken)
    {
        using var expiry = new CancellationTokenSource(timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(expiry.Token, cancellationToken);
        using var request = new HttpRequestMessage(HttpMethod.Get, _root + path);
        if (apiKey is not null)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", apiKey);
        }
        try
        {
            using var response = await http.SendAsync(request, either.Token);
            return await ReadAsync(response, either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return EngineAnswer.None($"no answer to {path} within {timeout.TotalSeconds:0.###} s", isSlow: true);
        }
        catch (HttpRequestException problem)
        {
            return EngineAnswer.None($"{problem.HttpRequestError} on {path}: {problem.Message}", isSlow: false);
        }
        catch (IOException problem)
        {
            return EngineAnswer.None($"the answer to {path} broke off: {problem.Message}", isSlow: false);
        }
    }

    private static async Task<EngineAnswer> ReadAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        await using var body = await response.Content.ReadAsStreamAsync(cancellationToken);
        var buffer = ArrayPool<byte>.Shared.Rent(16 << 10);
        var length = 0;
        try
        {
            while (true)
            {
                var read = await body.ReadAsync(buffer.AsMemory(length), cancellationToken);
                length += read;
                if (read == 0 || length > MaxBodyBytes)
                {
                    break;
                }
                if (length == buffer.Length)
                {
                    var larger = ArrayPool<byte>.Shared.Rent(buffer.Length * 2);
                    buffer.AsSpan(0, length).CopyTo(larger);
                    ArrayPool<byte>.Shared.Return(buffer);
                    buffer = larger;
                }
            }
            if (length > MaxBodyBytes)
            {
                return EngineAnswer.None($"an answer of more than {MaxBodyBytes >> 20} MiB", isSlow: false);
            }
            var answer = new EngineAnswer((int)response.StatusCode, buffer, length) { SentAt = response.Headers.Date };
            buffer = null;
            return answer;
        }
        finally
        {
            if (buffer is not null)
            {
                ArrayPool<byte>.Shared.Return(buffer);
            }
        }
    }
}

/// <summary>What an engine answered, or why it did not. Its body is valid until <see cref="Dispose"/>.</summary>
public sealed class EngineAnswer : IDisposable
{
    private readonly int _length;
    private byte[]? _buffer;

    internal EngineAnswer(int status, byte[] buffer, int length)
    {
        Status = status;
        _buffer = buffer;
        _length = length;
    }

    private EngineAnswer(string failure, bool isSlow)
    {
        Failure = failure;
        IsSlow = isSlow;
    }

    /// <summary>The HTTP status; 0: there is no answer.</summary>
    public int Status { get; }

    /// <summary>Why there is no answer; null when there is one.</summary>
    public string? Failure { get; }

    /// <summary>There is no answer because time ran out: the engine may only be busy.</summary>
    public bool IsSlow { get; }

    /// <summary>The engine's clock when it answered, to the second; null: not told.</summary>
    public DateTimeOffset? SentAt { get; init; }

    public bool IsSuccess => Status is >= 200 and < 300;

    public bool IsUnauthorized => Status is 401 or 403;

    public ReadOnlyMemory<byte> Body => _buffer.AsMemory(0, _length);

    internal static EngineAnswer None(string failure, bool isSlow) => new(failure, isSlow);

    public void Dispose()
    {
        if (_buffer is { } buffer)
        {
            _buffer = null;
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
