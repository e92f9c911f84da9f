-- Nobody is called "": days that have such a link are made again.
DELETE FROM model_interval i WHERE i.model = 'link_day' AND EXISTS (SELECT 1 FROM link_day l WHERE l.alias = '' AND l.start = i.start AND l.tenant IS NOT DISTINCT FROM i.tenant);
