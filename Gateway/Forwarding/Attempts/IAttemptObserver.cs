using System.Net.Http;
using Gateway.Replicas;

namespace Gateway.Forwarding.Attempts;

/// <summary>Hears of the attempts of one request. Called in their order; never throws.</summary>
public interface IAttemptObserver
{
    /// <summary>An attempt is about to be sent.</summary>
    /// <param name="message">May still be given headers.</param>
    /// <param name="replica">Where it goes.</param>
    void OnSending(HttpRequestMessage message, Replica replica);

    /// <summary>It failed before the first byte.</summary>
    void OnFailed(AttemptFailure failure);
}
