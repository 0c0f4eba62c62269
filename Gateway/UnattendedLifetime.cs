using Microsoft.Extensions.Hosting;

namespace Gateway;

/// <summary>A host that hears no signals: whoever started the server says when it stops. The usual one begins to stop at the signal itself, and a delay before that would be no delay.</summary>
internal sealed class UnattendedLifetime : IHostLifetime
{
    public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
