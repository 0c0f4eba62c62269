using Gateway.Api;
using Gateway.Configuration;
using Microsoft.Extensions.Logging;

namespace Gateway;

/// <summary>Holds the certificates in force and takes over new ones when their files change; faulty new ones change nothing. Thread-safe.</summary>
internal sealed partial class CertificateKeeper : IDisposable
{
    private readonly TlsOptions _files;
    private readonly ILogger _log;
    private readonly FileFollower _follower;
    private volatile ServerCertificates _current;

    /// <exception cref="IOException">The files hold no certificate that can be used.</exception>
    public CertificateKeeper(TlsOptions files, TimeProvider time, ILogger log)
    {
        (_files, _log) = (files, log);
        _current = Read(out var problems) ?? throw new IOException(ProblemReport.Format(problems, "The gateway does not start."));
        _follower = new FileFollower(() => files.Files, Reload, time);
    }

    /// <summary>What a handshake is made with now.</summary>
    public ServerCertificates Current => _current;

    public void Dispose() => _follower.Dispose();

    private void Reload()
    {
        if (Read(out var problems) is { } read)
        {
            _current = read;
            Log.Applied(_log, read.NotAfter);
        }
        else
        {
            Log.Refused(_log, Environment.NewLine + ProblemReport.Format(problems, "The certificates in force were not changed."));
        }
    }

    private ServerCertificates? Read(out IReadOnlyList<ConfigurationProblem> problems)
    {
        var found = new List<ConfigurationProblem>();
        problems = found;
        return ReferencedFiles.ReadCertificates(_files, found);
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Information, Message = "New certificates are in force, until {NotAfter}.")]
        public static partial void Applied(ILogger logger, DateTime notAfter);

        [LoggerMessage(Level = LogLevel.Error, Message = "Changed certificates were refused:{Problems}")]
        public static partial void Refused(ILogger logger, string problems);
    }
}
