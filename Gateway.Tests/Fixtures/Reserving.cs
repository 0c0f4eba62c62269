using Gateway.Replicas;

namespace Gateway.Tests;

/// <summary>Reservations under the default rule.</summary>
internal static class Reserving
{
    private static readonly PastFutureAdmission Rule = new();

    public static LoadReservation? TryReserve(this Replica replica, LoadProfile load, double capacityShare) =>
        replica.TryReserve(load, Rule, capacityShare);
}
