using System.Text;
using Gateway.Access;
using Gateway.Forwarding.Attempts;
using Gateway.Queueing;
using Gateway.Requests;

namespace Gateway;

/// <summary>Stored responses live in one replica: whoever refers to one is sent there.</summary>
internal static class Pinning
{
    /// <summary>The replica that holds what the request refers to, if it does and the holder is known.</summary>
    public static Constraints Of(InferenceRequest request, ModelPool model) =>
        request.Body.PreviousResponseKey is var key and not 0 && model.Prefixes.SessionSlot(key) is { } slot && model.Pool.At(slot) is { } holder
            ? new Constraints([], holder)
            : Constraints.None;

    /// <summary>The model whose replica holds the stored response that a request is about; null: none is known to.</summary>
    public static ModelPool? Holder(IEnumerable<ModelPool> models, InferenceRequest request) =>
        models.FirstOrDefault(model => model.Prefixes.SessionSlot(request.Body.PreviousResponseKey) is not null);

    /// <summary>The model to ask: the one named, or what stood in for it and holds the response to go on from. Null: a tenant's request goes on from none of its own.</summary>
    public static ModelPool? Continuing(GatewayCore core, ModelPool asked, Caller caller, InferenceRequest request) => request.Body.PreviousResponseKey == 0
        ? asked
        : Holder([asked, .. core.FallbacksOf(asked, caller.MayUse)], request) ?? (caller.Tenant is null ? asked : null);

    /// <summary>Notes which replica holds a response that was just made, for whoever made it.</summary>
    public static void Remember(Exchange exchange, ModelPool model, PrefixHasher hasher, Caller caller)
    {
        // If the replica left the pool meanwhile, its slot may belong to another one.
        var replica = exchange.Reservation.Replica;
        if (exchange.Answer.ResponseId is { } id && exchange.Failure is null && model.Pool.Find(replica.Id) == replica)
        {
            model.Prefixes.RecordSession(caller.OwnKey(hasher.ResponseKey(hasher.Key(Encoding.UTF8.GetBytes(id)))), replica.Slot);
        }
    }
}
