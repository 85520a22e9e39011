/* `weir vendor firewall`: which hosts to let through and which to block for a vendor. */
#ifndef CLI_FIREWALL_H
#define CLI_FIREWALL_H

int firewall_print(const char *dir, const char *vendor, int json);

#endif
