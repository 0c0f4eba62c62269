namespace Gateway.Configuration;

/// <summary>One address to listen on, for the question whether two want the same port of the same interface.</summary>
/// <param name="Url">As written.</param>
/// <param name="Host">As written: an IP address, localhost, * or +.</param>
/// <param name="Port">0: any free one.</param>
internal sealed record ListenAddress(string Url, string Host, int Port)
{
    /// <summary>Both loopback addresses, to the server.</summary>
    public bool IsLocalhost => Host.Equals("localhost", StringComparison.OrdinalIgnoreCase);

    private bool IsEveryInterface => Host is "*" or "+" or "[::]";

    private bool IsIPv6 => Host.StartsWith('[');

    /// <summary>Whether the system would refuse the second of the two.</summary>
    public bool Meets(ListenAddress other) => Port == other.Port && Port != 0 && (Covers(other) || other.Covers(this));

    private bool Covers(ListenAddress other) =>
        IsEveryInterface
        || (Host == "0.0.0.0" && !other.IsIPv6)
        || (IsLocalhost && (other.Host is "127.0.0.1" or "[::1]"))
        || Host.Equals(other.Host, StringComparison.OrdinalIgnoreCase);
}
