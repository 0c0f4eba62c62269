using Microsoft.Extensions.Logging;

namespace Gateway.Replicas.Engines;

/// <summary>What the probes of one replica amount to, told to the replica, and logged once per change. Used by one probe loop.</summary>
internal sealed partial class ProbeVerdict(Replica replica, ILogger log)
{
    private ReplicaHealth _verdict = ReplicaHealth.Unknown;
    private bool _isAboutKey;
    private int _failuresInARow;

    public bool IsUp => _verdict == ReplicaHealth.Up;

    /// <summary>The engine lives, whatever else is wrong with it.</summary>
    public void TakeLife()
    {
        _failuresInARow = 0;
        replica.OnProbeEnded(isUnanswered: false);
    }

    /// <summary>A probe failed. A working replica is given further tries, but not when its key is refused.</summary>
    public void TakeFailure(EngineReading reading, ModelOptions model, int failuresAllowed)
    {
        replica.OnProbeEnded(reading.Outcome == ReadingOutcome.Slow);
        var isAboutKey = reading.Outcome == ReadingOutcome.Unauthorized;
        if (++_failuresInARow >= failuresAllowed || !IsUp || isAboutKey)
        {
            Take(ReplicaHealth.Down, isAboutKey ? $"{reading.Detail}: the engine refuses the key from apiKeyEnv {model.ApiKeyEnv}" : reading.Detail, isAboutKey);
        }
    }

    /// <param name="verdict">The verdict.</param>
    /// <param name="why">For the log, where it is a bad one.</param>
    /// <param name="isAboutKey">Worth a line of its own also where the replica was down before.</param>
    public void Take(ReplicaHealth verdict, string why, bool isAboutKey = false)
    {
        if ((verdict, isAboutKey) != (_verdict, _isAboutKey))
        {
            if (verdict == ReplicaHealth.Up)
            {
                var engine = replica.Report.Engine.Word();
                Log.Up(log, replica.Id, engine, replica.Report.Version ?? "of an untold version");
            }
            else
            {
                Log.NotUp(log, replica.Id, verdict, why);
            }
        }
        (_verdict, _isAboutKey) = (verdict, isAboutKey);
        replica.OnProbed(verdict, why);
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Information, Message = "replica {Replica} is up: {Engine} {Version}")]
        public static partial void Up(ILogger log, string replica, string engine, string version);

        [LoggerMessage(Level = LogLevel.Warning, Message = "replica {Replica} gets no work ({Health}): {Why}")]
        public static partial void NotUp(ILogger log, string replica, ReplicaHealth health, string why);
    }
}
