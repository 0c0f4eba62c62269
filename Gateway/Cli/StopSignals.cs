using System.Runtime.InteropServices;

namespace Gateway.Cli;

/// <summary>Ends a verb's work on Ctrl-C and SIGTERM. A second signal ends the process at once: some work, such as reading a file, does not look at the token.</summary>
internal sealed class StopSignals : IDisposable
{
    private readonly CancellationTokenSource _stop;
    private readonly PosixSignalRegistration _onTerminate;
    private readonly PosixSignalRegistration _onInterrupt;

    /// <param name="cancellationToken">Gives up, too.</param>
    public StopSignals(CancellationToken cancellationToken)
    {
        _stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        _onTerminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        _onInterrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
    }

    /// <summary>Cancelled once the work is to be given up.</summary>
    public CancellationToken Token => _stop.Token;

    public void Dispose()
    {
        _onInterrupt.Dispose();
        _onTerminate.Dispose();
        _stop.Dispose();
    }

    private void Stop(PosixSignalContext signal)
    {
        signal.Cancel = !_stop.IsCancellationRequested;
        _stop.Cancel();
    }
}
