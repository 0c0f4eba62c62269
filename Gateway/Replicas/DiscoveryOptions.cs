using System.ComponentModel.DataAnnotations;

namespace Gateway.Replicas;

/// <summary>Where a model's replicas are found besides those that the configuration lists. Takes effect on reload.</summary>
public sealed record DiscoveryOptions
{
    /// <summary>Time between two resolutions of <c>dns</c> names, and between two looks at <see cref="File"/>.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Path of a YAML or JSON list of replicas, written like <c>replicas</c>; followed for changes. Null: none.</summary>
    public string? File { get; init; }

    /// <summary>EndpointSlices of a Kubernetes cluster; null: none.</summary>
    public KubernetesOptions? Kubernetes { get; init; }
}

/// <summary>Which EndpointSlices hold a model's replicas, and how the API server is reached. Takes effect on reload.</summary>
public sealed record KubernetesOptions
{
    /// <summary>The service in front of the engines; null: the slices are chosen by <see cref="LabelSelector"/> alone.</summary>
    public string? Service { get; init; }

    /// <summary>Its namespace; null: the gateway's own.</summary>
    public string? Namespace { get; init; }

    /// <summary>Name of the engines' port; null: the first one.</summary>
    public string? Port { get; init; }

    /// <summary>Slices need these labels, too; in the form of kubectl: <c>app=vllm,tier!=test</c>.</summary>
    public string? LabelSelector { get; init; }

    /// <summary>Address of the API server; null: the cluster's own, from the environment. The token is only sent over https.</summary>
    public Uri? ApiServer { get; init; }

    /// <summary>Folder with <c>token</c>, <c>ca.crt</c> and <c>namespace</c>, as it is mounted into every pod. Read anew for each question, for tokens change.</summary>
    public string CredentialsPath { get; init; } = "/var/run/secrets/kubernetes.io/serviceaccount";
}
