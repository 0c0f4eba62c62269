namespace Gateway.Routing;

/// <summary>What a replica was sent: what it will hold, whoever sent it.</summary>
/// <param name="Session">Key of the session or stored response that it holds now; 0: none.</param>
/// <param name="Blocks">Chained hashes of the prompt's blocks, the first one first; never written.</param>
/// <param name="BlockTokens">KV room of each block.</param>
/// <param name="OtherTokens">KV room of the answer and of the prompt beyond the blocks.</param>
public readonly record struct PrefixUse(ulong Session, ReadOnlyMemory<ulong> Blocks, int BlockTokens, int OtherTokens);
